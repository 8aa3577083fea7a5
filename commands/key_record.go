package commands

import (
	"github.com/google/uuid"

	"daybook/domain/key"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// RecordKey records that an API key was created. The vault has created it before.
type RecordKey struct {
	Name  string
	Role  role.Role
	Agent uuid.UUID // whom the key acts as; nil: itself
}

// Permission returns the permission that the caller needs.
func (RecordKey) Permission() role.Permission { return role.KeysWrite }

// Decide changes nothing for a key that is recorded. The name of a key of somebody who was forgotten is not known.
func (c RecordKey) Decide(k key.Key, _ By) ([]key.Event, error) {
	if k.Created {
		return nil, nil
	}
	if c.Name == personal.Erased {
		c.Name = ""
	}
	return happened[key.Event](key.Created{Name: personal.New(c.Name), Role: c.Role, Agent: c.Agent})
}
