package agent

import "daybook/domain/picture"

// PictureSet: the agent has a picture, in place of the one before.
type PictureSet struct {
	picture.Set
}

// EventType returns the stored name.
func (PictureSet) EventType() string { return "agent-picture-set" }

func (e PictureSet) apply(a *Agent) { a.Picture = e.Picture }

// PictureRemoved: the agent has no picture any more.
type PictureRemoved struct {
	picture.Removed
}

// EventType returns the stored name.
func (PictureRemoved) EventType() string { return "agent-picture-removed" }

func (PictureRemoved) apply(a *Agent) { a.Picture = picture.Picture{} }
