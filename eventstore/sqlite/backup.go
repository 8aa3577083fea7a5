package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"daybook/eventstore"
)

// An End is where a log ends.
type End struct {
	Log      uuid.UUID           `json:"log"`
	Position eventstore.Position `json:"position"`
	Event    uuid.UUID           `json:"event"` // the one at that position
}

// Backup copies the log in a file to another file, as it is at one moment, beside its writer and without delaying it. Then it
// proves the copy, and returns where it ends. What is damaged is not copied: it returns a *eventstore.DamageError.
func Backup(ctx context.Context, path, to string) (End, error) {
	c, err := dial(source{path, "ro"}, func(c *conn) (err error) {
		c.log, err = c.identity()
		return err
	})
	if err != nil {
		return End{}, fmt.Errorf("opening %s: %w", path, explain(err))
	}
	err = c.run("VACUUM INTO '" + strings.ReplaceAll(to, "'", "''") + "'")
	c.close()
	if err != nil {
		return End{}, fmt.Errorf("copying %s: %w", path, explain(err))
	}
	return Prove(ctx, to)
}

// Prove reads the whole log in a file, which nobody writes to, and returns where it ends.
func Prove(ctx context.Context, path string) (End, error) {
	s, err := OpenReadOnly(path)
	if err != nil {
		return End{}, err
	}
	defer s.Close()
	var damage error
	_, err = s.Check(ctx, func(found error) {
		if _, index := found.(*eventstore.IndexError); !index && damage == nil { //nolint:errorlint // as Check says
			damage = found
		}
	}, nil)
	if damage != nil || err != nil {
		return End{}, fmt.Errorf("%s: %w", path, cmp.Or(damage, err))
	}
	end := End{Log: s.ID()}
	if end.Position, err = s.Head(ctx); err != nil || end.Position == eventstore.Start {
		return end, err
	}
	for last, err := range s.Follow(ctx, end.Position-1) {
		if err != nil {
			return end, err
		}
		end.Event = last[0].ID
		break
	}
	return end, nil
}
