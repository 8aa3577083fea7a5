package commands

import (
	"daybook/domain/key"
	"daybook/domain/role"
)

// RevokeKey records that an API key was revoked. The vault has revoked it before.
type RevokeKey struct{}

// Permission returns the permission that the caller needs.
func (RevokeKey) Permission() role.Permission { return role.KeysWrite }

// Decide changes nothing for a key that is revoked, or that was never recorded.
func (RevokeKey) Decide(k key.Key, _ By) ([]key.Event, error) {
	if !k.Created || k.Revoked {
		return nil, nil
	}
	return happened[key.Event](key.Revoked{})
}
