package commands

import (
	"daybook/domain/desk"
	"daybook/domain/role"
)

// RecordRestore records that the log was restored from a backup that is older than the vault.
type RecordRestore struct {
	Position uint64 // where the log ends
	Known    uint64 // up to where the vault knew it
}

// Permission returns the permission that the caller needs.
func (RecordRestore) Permission() role.Permission { return role.Operate }

// Decide records each restore.
func (c RecordRestore) Decide(desk.Log, By) ([]desk.LogEvent, error) {
	return happened[desk.LogEvent](desk.LogRestored{Position: c.Position, Known: c.Known})
}
