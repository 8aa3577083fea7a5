package contact

import "daybook/domain/picture"

// PictureSet: the contact has a picture, in place of the one before.
type PictureSet struct {
	picture.Set
}

// EventType returns the stored name.
func (PictureSet) EventType() string { return "contact-picture-set" }

func (e PictureSet) apply(c *Contact) { c.Picture = e.Picture }

// PictureRemoved: the contact has no picture any more.
type PictureRemoved struct {
	picture.Removed
}

// EventType returns the stored name.
func (PictureRemoved) EventType() string { return "contact-picture-removed" }

func (PictureRemoved) apply(c *Contact) { c.Picture = picture.Picture{} }
