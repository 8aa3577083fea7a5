package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
	"daybook/readmodels/table"
)

// inFolder says whether the log is a file of the folder.
func (f folder) inFolder() bool { return f.Events == "" }

// shared says whether several processes may have the desk open: where neither the log nor the read models are files.
func (f folder) shared() bool { return !f.inFolder() && f.ReadModels != "" }

// lock keeps other processes from a folder whose log is elsewhere; a log in the folder has a lock of its own. It waits for a
// moment: those who share a desk lock it only while they open it.
func (f folder) lock(ctx context.Context) (io.Closer, error) {
	if f.inFolder() {
		return io.NopCloser(nil), nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		lock, err := sqlite.Lock(f.path("desk.lock"))
		if !errors.Is(err, sqlite.ErrInUse) {
			return lock, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// openStore opens the log for writing.
func (f folder) openStore(ctx context.Context) (eventstore.Store, error) {
	if f.inFolder() {
		return sqlite.Open(f.path("events.db"), sqlite.Options{})
	}
	return f.openRemote(ctx)
}

// readStore opens the log beside whoever writes to it.
func (f folder) readStore(ctx context.Context) (eventstore.Store, error) {
	if f.inFolder() {
		return sqlite.OpenReadOnly(f.path("events.db"))
	}
	return f.openRemote(ctx)
}

func (f folder) openRemote(ctx context.Context) (eventstore.Store, error) {
	switch scheme, _, _ := strings.Cut(f.Events, "://"); scheme {
	case "postgres", "postgresql":
		return postgres.Open(ctx, f.Events, postgres.Options{})
	case "esdb", "esdb+discover":
		return esdb.Open(ctx, f.Events, esdb.Options{})
	}
	return nil, status{wrongUsage, errors.New("--events must be postgres://…, esdb://… or esdb+discover://…; left out, the log is in the folder")}
}

// shortestLease can still be renewed in time.
const shortestLease = 100 * time.Millisecond

// home is where the read models are.
func (f folder) home() (table.Home, error) {
	if f.Lease != 0 && f.Lease < shortestLease {
		return nil, status{wrongUsage, fmt.Errorf("--lease must be at least %s", shortestLease)}
	}
	if f.ReadModels == "" {
		return table.Folder(f.Data), nil
	}
	home, err := table.NewSchemas(f.ReadModels, table.SchemasOptions{Lease: f.Lease})
	if err != nil {
		return nil, status{wrongUsage, fmt.Errorf("--read-models: %w; left out, the read models are in the folder", err)}
	}
	return home, nil
}

// mustBe refuses a folder without a desk.
func (f folder) mustBe() error {
	name := "events.db"
	if !f.inFolder() {
		name = "vault.db"
	}
	if _, err := os.Stat(f.path(name)); err != nil {
		return status{notFound, fmt.Errorf("there is no desk in %s: %w", f.Data, err)}
	}
	return nil
}

// mustHaveVault refuses a folder whose vault is lost.
func (f folder) mustHaveVault() error {
	if _, err := os.Stat(f.path("vault.db")); err != nil {
		return fmt.Errorf("the vault of this desk is missing: put vault.db and vault.key back from the backup that its log belongs to: %w", err)
	}
	return nil
}
