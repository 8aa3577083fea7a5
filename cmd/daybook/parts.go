package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	locks "daybook/internal/lock"
	"daybook/internal/scratch"
	"daybook/internal/snapshot"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
	"daybook/vault"
)

// parts are the parts of an open desk.
type parts struct {
	folder   folder
	lock     io.Closer
	store    eventstore.Store
	vault    *vault.Vault
	commands *work.Desk
	source   engine.Source
	home     table.Home
	live     *table.Live
	engine   *engine.Engine // nil if open for reading only
	rows     *engine.Rows
	snaps    *snapshot.Store
	restored *restore // of an older log beside the vault; nil: there was none
}

// openDesk opens the desk in a folder for reading and writing, and creates it if there is none. Only a shared desk may be
// open in several processes.
func openDesk(ctx context.Context, f folder) (d *parts, err error) {
	home, err := f.home(ctx)
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, home)
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return nil, err
	}
	if err := errors.Join(scratch.Sweep(f.Data), f.mustNotBeGone(ctx)); err != nil {
		return nil, err
	}
	lock, err := f.lock(ctx)
	var store eventstore.Store
	if err == nil {
		if store, err = f.openStore(ctx); err != nil {
			err = errors.Join(err, lock.Close())
		}
	}
	if errors.Is(err, sqlite.ErrInUse) || errors.Is(err, locks.ErrHeld) {
		return nil, status{conflict, fmt.Errorf("the desk in %s is in use by another process. Stop that process first, or use --url if the command has it", f.Data)}
	}
	if err != nil {
		return nil, err
	}
	d, err = assemble(ctx, f, home, store, lock)
	if err != nil {
		return nil, err
	}
	d.engine, err = engine.New(d.source, home, d.live)
	if err == nil {
		err = d.mayOpen(ctx)
	}
	if err == nil && f.shared() {
		d.lock = io.NopCloser(nil)
		err = lock.Close()
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// readDesk opens the desk in a folder for reading only. It also works while another process serves the desk.
func readDesk(ctx context.Context, f folder) (d *parts, err error) {
	home, err := f.home(ctx)
	if err != nil {
		return nil, err
	}
	defer closeUnless(&err, home)
	if err := f.mustBe(ctx); err != nil {
		return nil, err
	}
	store, err := f.readStore(ctx)
	if err != nil {
		return nil, err
	}
	return assemble(ctx, f, home, store, io.NopCloser(nil))
}

// closeUnless closes c if *err is not nil.
func closeUnless(err *error, c io.Closer) {
	if *err != nil {
		*err = errors.Join(*err, c.Close())
	}
}

// assemble opens the vault and builds a desk from its parts. It owns the store and the lock, and closes them on errors.
func assemble(ctx context.Context, f folder, home table.Home, store eventstore.Store, lock io.Closer) (*parts, error) {
	head, err := store.Head(ctx)
	if err == nil && head > eventstore.Start { // a new vault could not decrypt this log
		err = f.mustHaveVault(ctx)
	}
	var v *vault.Vault
	if err == nil {
		v, err = f.openVault(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close(), lock.Close())
	}
	restored, err := belongs(ctx, store, v)
	if err == nil {
		err = mustBeReadable(ctx, store, v)
	}
	if err != nil {
		return nil, errors.Join(err, v.Close(), store.Close(), lock.Close())
	}
	snaps, err := f.snapshots(v)
	if err != nil {
		return nil, errors.Join(err, v.Close(), store.Close(), lock.Close())
	}
	d := &parts{folder: f, lock: lock, store: store, vault: v, home: home, live: new(table.Live), snaps: snaps, restored: restored}
	d.commands = &work.Desk{Store: store, Keys: v, Names: v, Doors: v, Snapshots: snaps}
	days := cmp.Or(f.Zone.Location, time.UTC)
	d.source = engine.Source{Store: store, Decode: engine.DecodeWith(v), Projections: projections.In(days), Version: projections.VersionIn(days), Scratch: f.Data}
	d.rows = engine.NewRows(d.source, v, snaps)
	return d, nil
}

// mayOpen destroys the keys again that the log says are lost, and returns an error if the vault lacks keys that the log needs since
// it was noted there. A restored log is noted once it tells of that; what was folded from it as it was is forgotten.
func (d *parts) mayOpen(ctx context.Context) error {
	noted, err := d.vault.Noted(ctx)
	if err == nil {
		err = access.DestroyAgain(ctx, d.commands, d.vault, eventstore.Position(noted.At))
	}
	switch {
	case err != nil:
		return err
	case d.restored != nil:
		return d.snaps.Clear(ctx)
	}
	if err := d.note(ctx); noted.Log == uuid.Nil || !errors.Is(err, vault.ErrBusy) {
		return err
	}
	return nil // serve notes again in a minute
}

// mustBeReadable returns an error if the log is in another format than this program's.
func mustBeReadable(ctx context.Context, store eventstore.Store, keys personal.Keys) error {
	for batch, err := range store.Follow(ctx, eventstore.Start) {
		if damage := (*eventstore.DamageError)(nil); errors.As(err, &damage) || err == nil && len(batch) == 0 {
			return nil // whoever meets damage says so
		}
		if err != nil {
			return err
		}
		first := batch[0]
		_, err := event.DecodeMetadata(work.PlaceOf(first), first.Meta, keys)
		if errors.Is(err, event.ErrOldFormat) {
			return err
		}
		return nil
	}
	return nil
}

func (d *parts) close() error {
	d.live.Close()
	return errors.Join(d.home.Close(), d.store.Close(), d.snaps.Close(), d.vault.Close(), d.lock.Close())
}

// rebuild makes the read models anew, and forgets the snapshots beside them.
func (d *parts) rebuild(ctx context.Context, o engine.RebuildOptions) error {
	if err := d.engine.Rebuild(ctx, o); err != nil {
		return err
	}
	return d.snaps.Clear(ctx)
}

// begin creates the first owner and their API key, unless they exist. It returns the path of the key's file, or an empty
// string if the file is no longer there.
func (d *parts) begin(ctx context.Context) (ownerKey string, err error) {
	owner := uuid.NewSHA1(d.store.ID(), []byte("first owner"))
	_, err = work.Do(ctx, d.commands, agent.Stream, owner, commands.CreateAgent{Name: "Owner", Email: "owner@localhost", Role: role.Owner}, access.OnCommandLine(time.Now(), owner))
	var no *domain.Error
	if err != nil && !errors.As(err, &no) {
		return "", fmt.Errorf("creating the first owner: %w", err)
	}
	if err := errors.Join(d.restored.record(ctx, d.commands, d.vault), access.RevokeAgain(ctx, d.commands, d.vault, time.Now())); err != nil {
		return "", err
	}
	if d.folder.shared() { // another process may do the same now
		lock, err := d.folder.lock(ctx)
		if err != nil {
			return "", err
		}
		defer lock.Close()
	}
	defer func() {
		if failed := access.RecordKeys(ctx, d.commands, d.vault); !errors.Is(failed, vault.ErrAltered) { // else the server says so
			err = errors.Join(err, failed)
		}
	}()
	path := d.folder.path("owner.key")
	keys, err := d.vault.APIKeys(ctx)
	if err != nil {
		return "", err
	}
	if len(keys) > 0 {
		if _, err := os.Stat(path); err != nil { // the user has moved it
			path = ""
		}
		return path, nil
	}
	token, err := d.vault.FirstAPIKey(ctx, "owner.key", owner, time.Now())
	if err != nil || token == "" { // another process was first
		return "", err
	}
	return path, vault.WriteSecret(path, token+"\n")
}

// catchUp projects the read models until they have caught up with the log.
func (d *parts) catchUp(ctx context.Context) error {
	return d.whileProjecting(ctx, func(context.Context) error { return nil })
}

// whileProjecting runs the projections. It calls do once they have caught up with the log, and stops when do returns.
func (d *parts) whileProjecting(ctx context.Context, do func(context.Context) error) error {
	running, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop(d.engine.Run(running, engine.RunOptions{}))
	}()
	defer func() { stop(nil); <-ended }()
	head, err := d.store.Head(running)
	if err == nil {
		err = d.live.Wait(running, head)
	}
	if err == nil {
		err = do(running)
	}
	if err != nil && ctx.Err() == nil && running.Err() != nil {
		err = context.Cause(running) // the error that stopped the engine
	}
	return err
}
