package company

import "daybook/domain/picture"

// PictureSet: the company has a picture, in place of the one before.
type PictureSet struct {
	picture.Set
}

// EventType returns the stored name.
func (PictureSet) EventType() string { return "company-picture-set" }

func (e PictureSet) apply(c *Company) { c.Picture = e.Picture }

// PictureRemoved: the company has no picture any more.
type PictureRemoved struct {
	picture.Removed
}

// EventType returns the stored name.
func (PictureRemoved) EventType() string { return "company-picture-removed" }

func (PictureRemoved) apply(c *Company) { c.Picture = picture.Picture{} }
