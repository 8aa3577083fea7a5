package commands

import (
	"daybook/domain/contact"
	"daybook/domain/picture"
	"daybook/domain/role"
)

// SetContactPicture gives a contact a picture that the vault keeps.
type SetContactPicture struct {
	Picture picture.Picture `json:"-"`
}

// Permission returns the permission that the caller needs.
func (SetContactPicture) Permission() role.Permission { return role.ContactsWrite }

// Decide names the picture that is replaced, since it is destroyed.
func (c SetContactPicture) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	return happened[contact.Event](contact.PictureSet{Set: co.Picture.By(c.Picture)})
}

// RemoveContactPicture removes the picture of a contact.
type RemoveContactPicture struct{}

// Permission returns the permission that the caller needs.
func (RemoveContactPicture) Permission() role.Permission { return role.ContactsWrite }

// Decide changes nothing where there is no picture.
func (RemoveContactPicture) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if err := co.MustExist(); err != nil || co.Picture == (picture.Picture{}) {
		return nil, err
	}
	return happened[contact.Event](contact.PictureRemoved{Removed: picture.Removed{Removed: co.Picture.IDs()}})
}
