package commands

import (
	"cmp"

	"daybook/domain/agent"
	"daybook/domain/picture"
	"daybook/domain/role"
)

// SetAgentPicture gives an agent a picture that the vault keeps.
type SetAgentPicture struct {
	Picture picture.Picture `json:"-"`
}

// Permission returns the permission that the caller needs.
func (SetAgentPicture) Permission() role.Permission { return role.AgentsWrite }

// Decide names the picture that is replaced, since it is destroyed.
func (c SetAgentPicture) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := cmp.Or(a.MustExist(), mustManage(a, by)); err != nil {
		return nil, err
	}
	return happened[agent.Event](agent.PictureSet{Set: a.Picture.By(c.Picture)})
}

// RemoveAgentPicture removes the picture of an agent.
type RemoveAgentPicture struct{}

// Permission returns the permission that the caller needs.
func (RemoveAgentPicture) Permission() role.Permission { return role.AgentsWrite }

// Decide changes nothing where there is no picture.
func (RemoveAgentPicture) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := cmp.Or(a.MustExist(), mustManage(a, by)); err != nil || a.Picture == (picture.Picture{}) {
		return nil, err
	}
	return happened[agent.Event](agent.PictureRemoved{Removed: picture.Removed{Removed: a.Picture.IDs()}})
}
