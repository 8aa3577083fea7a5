package commands

import (
	"daybook/domain/company"
	"daybook/domain/picture"
	"daybook/domain/role"
)

// SetCompanyPicture gives a company a picture that the vault keeps.
type SetCompanyPicture struct {
	Picture picture.Picture `json:"-"`
}

// Permission returns the permission that the caller needs.
func (SetCompanyPicture) Permission() role.Permission { return role.CompaniesWrite }

// Decide names the picture that is replaced, since it is destroyed.
func (c SetCompanyPicture) Decide(co company.Company, _ By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil {
		return nil, err
	}
	return happened[company.Event](company.PictureSet{Set: co.Picture.By(c.Picture)})
}

// RemoveCompanyPicture removes the picture of a company.
type RemoveCompanyPicture struct{}

// Permission returns the permission that the caller needs.
func (RemoveCompanyPicture) Permission() role.Permission { return role.CompaniesWrite }

// Decide changes nothing where there is no picture.
func (RemoveCompanyPicture) Decide(co company.Company, _ By) ([]company.Event, error) {
	if err := co.MustExist(); err != nil || co.Picture == (picture.Picture{}) {
		return nil, err
	}
	return happened[company.Event](company.PictureRemoved{Removed: picture.Removed{Removed: co.Picture.IDs()}})
}
