package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/vault"
)

// mustNotBeGone returns an error if the log is missing from the data folder, and the vault there knows that there was one. It is
// called before anything is created.
func (f folder) mustNotBeGone(ctx context.Context) error {
	if !f.inFolder() {
		return nil
	}
	if _, err := os.Stat(f.path("events.db")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	at, err := f.vaultAt()
	if err != nil {
		return err
	}
	if there, err := vault.Exists(ctx, at); err != nil || !there {
		return err
	}
	v, err := f.openVault(ctx)
	if err != nil {
		return err
	}
	noted, err := v.Noted(ctx)
	if err = errors.Join(err, v.Close()); err != nil || noted.Log == uuid.Nil {
		return err
	}
	return fmt.Errorf("%s is missing, and the vault belongs to log %s, which was at position %d: check that its disk is mounted, or restore it; for a new desk, give an empty data folder", f.path("events.db"), noted.Log, noted.At)
}

// A restore is a log that was restored from a backup that is older than the vault.
type restore struct {
	says  string              // to the operator
	ends  eventstore.Position // where the log ends
	known vault.Noted         // up to where the vault knew it
}

// record writes the restore to the log, once. What the log told of API keys is told again.
func (r *restore) record(ctx context.Context, d *work.Desk, v *vault.Vault) error {
	if r == nil {
		return nil
	}
	if err := v.RecordAPIKeysAgain(ctx); err != nil {
		return err
	}
	by := access.OnCommandLine(time.Now(), uuid.NewSHA1(r.known.ID, []byte("log restored")))
	by.Principal = event.Principal{Kind: event.BySystem} // nobody asked for it
	_, err := work.Do(ctx, d, desk.LogStream, desk.LogID, commands.RecordRestore{Position: uint64(r.ends), Known: r.known.At}, by)
	return err
}

// belongs checks that the log is the vault's, and returns the restore if an older one was restored.
func belongs(ctx context.Context, store eventstore.Store, v *vault.Vault) (restored *restore, err error) {
	noted, err := v.Noted(ctx)
	if err != nil || noted.Log == uuid.Nil {
		return nil, err
	}
	head, err := store.Head(ctx)
	switch {
	case err != nil:
		return nil, err
	case noted.Log != store.ID() && head == eventstore.Start:
		return nil, fmt.Errorf("the log is empty, and the vault belongs to log %s, which was at position %d: restore that log, or give the right place with --events; for a new desk, give an empty data folder and a new vault", noted.Log, noted.At)
	case noted.Log != store.ID():
		return nil, fmt.Errorf("this is log %s, but the vault belongs to log %s: give the --data, --events and --vault of one desk, or restore both from one backup", store.ID(), noted.Log)
	case noted.At == 0:
		return nil, nil
	case eventstore.Position(noted.At) > head:
		return &restore{fmt.Sprintf("The log was restored from an older backup: it ends at position %s, and the vault knows it at %d. What came after is lost.", head, noted.At), head, noted}, nil
	}
	for found, err := range store.Read(ctx, noted.Stream, eventstore.Revision(noted.Revision), eventstore.Forwards, 1) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if damage := (*eventstore.DamageError)(nil); errors.As(err, &damage) {
			return nil, nil // it may have had the event; whoever meets damage says so
		}
		if err != nil || found.ID == noted.ID {
			return nil, err
		}
	}
	return &restore{fmt.Sprintf("The log was restored from an older backup, and has grown since: it no longer has the event that was at position %d. What came after is lost.", noted.At), head, noted}, nil
}

// noteEvery is how often the vault notes how far the log is.
const noteEvery = time.Minute

// note notes in the vault how far the log is, each minute and when the context ends.
func (o *operator) note(ctx context.Context) {
	each := time.NewTicker(noteEvery)
	defer each.Stop()
	for last := false; !last; {
		patience := noteEvery
		select {
		case <-each.C:
		case <-ctx.Done():
			last, patience = true, statusWithin
		}
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		if err := o.parts.note(within); err != nil {
			o.log.Warn("noting the log in the vault failed", "error", err)
		}
		cancel()
	}
}

// note notes in the vault an event up to which it has every key, and returns an error if it lacks one of a later event. A vault that
// knows no log yet belongs to this one from now on.
func (d *parts) note(ctx context.Context) error {
	noted, err := d.vault.Noted(ctx)
	if err != nil {
		return err
	}
	if noted.Log == uuid.Nil {
		return d.vault.Note(ctx, d.store.ID(), 0, vault.Event{})
	}
	after := eventstore.Position(noted.At)
	if d.restored != nil && noted == d.restored.known {
		after = d.restored.ends
	}
	missing, last, err := d.withoutKeys(ctx, after)
	if _, damage := errors.AsType[*eventstore.DamageError](err); damage {
		err = nil // whoever meets damage says so
	}
	switch {
	case err != nil:
		return err
	case len(missing) > 0:
		return &keysMissingError{missing}
	case last.Stream == "": // nothing is new
		return nil
	}
	return d.vault.Note(ctx, d.store.ID(), uint64(last.Position), vault.Event{Stream: last.Stream, Revision: int64(last.Revision), ID: last.ID})
}

// A keysMissingError says whose keys the vault lacks.
type keysMissingError struct{ of []uuid.UUID }

func (e *keysMissingError) Error() string {
	const few = 3
	names := make([]string, 0, few+1)
	for _, id := range e.of[:min(few, len(e.of))] {
		names = append(names, id.String())
	}
	if len(e.of) > few {
		names = append(names, "…")
	}
	return fmt.Sprintf("the vault lacks %d of the keys that the log needs (%s): it is older than the log. Put the newer vault back; if there is none, daybook vault accept-loss gives up what is sealed under missing keys", len(e.of), strings.Join(names, ", "))
}
