package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/key"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/vault"
)

// RecordKeys writes the events of API keys that were created or revoked by a process that could not write to the log, such
// as the key command beside a running server.
func RecordKeys(ctx context.Context, d *work.Desk, v *vault.Vault) error {
	open, err := v.UnrecordedAPIKeys(ctx)
	var failed []error
	for _, k := range open {
		if k.Altered {
			failed = append(failed, fmt.Errorf("API key %s: %w", k.ID, vault.ErrAltered))
			continue
		}
		if err := record(ctx, d, v, k); err != nil {
			failed = append(failed, fmt.Errorf("recording API key %s: %w", k.ID, err))
		}
	}
	return errors.Join(append(failed, err)...)
}

// RecordLosses writes an event of the keys of people that were given up by a process that could not write to the log.
func RecordLosses(ctx context.Context, d *work.Desk, v *vault.Vault, now time.Time) error {
	subjects, err := v.Lost(ctx)
	for lost := range slices.Chunk(subjects, lossesAtOnce) {
		names := make([]string, len(lost))
		for i, s := range lost {
			names[i] = s.String()
		}
		by := OnCommandLine(now, uuid.NewSHA1(desk.LogID, []byte(strings.Join(names, " "))))
		if _, err := work.Do(ctx, d, desk.LogStream, desk.LogID, commands.RecordLoss{Subjects: lost}, by); err != nil {
			return fmt.Errorf("recording that keys are lost: %w", err)
		}
		if err := v.RecordedLost(ctx, lost...); err != nil {
			return err
		}
	}
	return err
}

// lossesAtOnce is how many people an event of lost keys names at most.
const lossesAtOnce = 1000

// RevokeAgain revokes the keys of which the log says that they are revoked, and the vault that they are not, since it is older.
func RevokeAgain(ctx context.Context, d *work.Desk, v *vault.Vault, now time.Time) error {
	keys, err := v.APIKeys(ctx)
	for _, k := range keys {
		if k.RevokedAt != "" || k.Altered {
			continue
		}
		told, err := work.State(ctx, d, key.Stream, k.UUID())
		if err == nil && told.State.Revoked {
			err = v.RevokeAPIKey(ctx, k.ID, now)
		}
		if err != nil {
			return fmt.Errorf("revoking API key %s again: %w", k.ID, err)
		}
	}
	return err
}

// DestroyAgain destroys the keys of people of which the log says, after a position, that they are lost, and the vault that they are
// not, since it is older.
func DestroyAgain(ctx context.Context, d *work.Desk, v *vault.Vault, after eventstore.Position) error {
	for r, err := range d.Store.Read(ctx, desk.LogStream.Stream(desk.LogID), 0, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		e, err := desk.LogEvents.Decode(work.PlaceOf(r), r.Data, v)
		if err != nil {
			return err
		}
		lost, is := e.(desk.KeysLost)
		if !is || r.Position <= after {
			continue
		}
		alive := slices.DeleteFunc(lost.Subjects, func(s uuid.UUID) bool {
			_, err := v.Key(s)
			return errors.Is(err, personal.ErrForgotten)
		})
		if len(alive) == 0 {
			continue
		}
		if err := v.Destroy(ctx, alive...); err != nil {
			return fmt.Errorf("destroying keys again that the log says are lost: %w", err)
		}
	}
	return nil
}

// OnCommandLine is who does what is done with the program on its data, at a time, as a request of its own.
func OnCommandLine(at time.Time, request uuid.UUID) work.By {
	return work.By{
		Actor: event.TheSystem, Principal: event.TheCommandLine, Through: event.ThroughCommandLine,
		Allowed: role.Owner.Permissions(), Sight: role.Everything, At: at, Request: request, Correlation: request.String(),
	}
}

func record(ctx context.Context, d *work.Desk, v *vault.Vault, k vault.APIKey) error {
	created, err := dated(k, "created", k.CreatedAt)
	if err != nil {
		return err
	}
	if _, err := work.Do(ctx, d, key.Stream, k.UUID(), commands.RecordKey{Name: k.Name, Role: k.Role, Agent: k.Agent}, created); err != nil {
		return err
	}
	if k.RevokedAt == "" {
		return v.RecordedAPIKey(ctx, k.ID, 1)
	}
	revoked, err := dated(k, "revoked", k.RevokedAt)
	if err != nil {
		return err
	}
	if _, err := work.Do(ctx, d, key.Stream, k.UUID(), commands.RevokeKey{}, revoked); err != nil {
		return err
	}
	return v.RecordedAPIKey(ctx, k.ID, 2)
}

// dated returns who did something with a key, at a time that the vault tells.
func dated(k vault.APIKey, what, at string) (work.By, error) {
	then, err := time.Parse(time.RFC3339, at)
	return OnCommandLine(then, uuid.NewSHA1(k.UUID(), []byte(what))), err
}
