package commands

import (
	"github.com/google/uuid"

	"daybook/domain/desk"
	"daybook/domain/role"
)

// RecordLoss records that keys of people are lost.
type RecordLoss struct {
	Subjects []uuid.UUID
}

// Permission returns the permission that the caller needs.
func (RecordLoss) Permission() role.Permission { return role.Operate }

// Decide records nothing if nothing is lost.
func (c RecordLoss) Decide(desk.Log, By) ([]desk.LogEvent, error) {
	if len(c.Subjects) == 0 {
		return nil, nil
	}
	return happened[desk.LogEvent](desk.KeysLost{Subjects: c.Subjects})
}
