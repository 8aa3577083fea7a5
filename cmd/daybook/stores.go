package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
	"daybook/internal/lock"
	"daybook/internal/pgconn"
	"daybook/internal/snapshot"
	"daybook/readmodels/table"
	"daybook/vault"
)

// inFolder reports whether the log is a file in the data folder.
func (f folder) inFolder() bool { return f.Events == "" }

// shared reports whether several processes may open the desk: if neither the log nor the read models are files.
func (f folder) shared() bool { return !f.inFolder() && f.ReadModels != "" }

// lock keeps other processes out of a folder whose log is elsewhere; a log in the folder has its own lock. It waits for up
// to 5 s, since processes that share a desk lock it only while they open it.
func (f folder) lock(ctx context.Context) (io.Closer, error) {
	if f.inFolder() {
		return io.NopCloser(nil), nil
	}
	return backoff.Retry(ctx, func() (io.Closer, error) {
		held, err := lock.File(f.path("desk.lock"))
		if err != nil && !errors.Is(err, lock.ErrHeld) {
			err = backoff.Permanent(err)
		}
		return held, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(20*time.Millisecond)), backoff.WithMaxElapsedTime(5*time.Second))
}

// openStore opens the log for writing.
func (f folder) openStore(ctx context.Context) (eventstore.Store, error) {
	if f.inFolder() {
		return sqlite.Open(f.path("events.db"), sqlite.Options{})
	}
	return f.openRemote(ctx)
}

// readStore opens the log for reading only. It also works while another process writes to it.
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
	return nil, status{wrongUsage, errors.New("--events must begin with postgres://, esdb:// or esdb+discover://; without it, the log is in the data folder")}
}

// shortestLease is the shortest lease that can be renewed in time.
const shortestLease = 100 * time.Millisecond

// home returns where the read models are. A server that is away may come later; one that Daybook cannot rely on is refused.
func (f folder) home(ctx context.Context) (table.Home, error) {
	if f.Lease != 0 && f.Lease < shortestLease {
		return nil, status{wrongUsage, fmt.Errorf("--lease must be at least %s", shortestLease)}
	}
	if f.ReadModels == "" {
		return table.Folder(f.Data), nil
	}
	home, err := table.NewSchemas(f.ReadModels, table.SchemasOptions{Reporting: f.Reporting, Lease: f.Lease})
	if err != nil {
		return nil, status{wrongUsage, fmt.Errorf("--read-models: %w; without it, the read models are in the data folder", err)}
	}
	if err := home.Prove(ctx); errors.As(err, new(*pgconn.UnfitError)) {
		return nil, errors.Join(err, home.Close())
	}
	return home, nil
}

// snapshots returns where the states of long streams are kept: beside the read models.
func (f folder) snapshots(keys personal.Keys) (*snapshot.Store, error) {
	if f.ReadModels == "" {
		return snapshot.InFile(f.path("snapshots.db"), keys), nil
	}
	return snapshot.InPostgreSQL(f.ReadModels, keys)
}

// vaultAt returns the database of the vault.
func (f folder) vaultAt() (string, error) {
	switch {
	case f.Vault == "" || f.Vault == "sqlite":
		return f.path("vault.db"), nil
	case vault.InPostgreSQL(f.Vault):
		return f.Vault, nil
	}
	return "", status{wrongUsage, errors.New("--vault must be sqlite, or begin with postgres://")}
}

// openVault opens the vault, and creates it if there is none.
func (f folder) openVault(ctx context.Context) (*vault.Vault, error) {
	at, err := f.vaultAt()
	if err != nil {
		return nil, err
	}
	return vault.OpenAt(ctx, at, f.master())
}

// The places of the master key, besides the data folder.
const (
	masterVariable   = "DAYBOOK_MASTER_KEY"
	masterCredential = "daybook-master-key" // of systemd: LoadCredential= or LoadCredentialEncrypted=
)

// master says where the master key is: in the environment, in a credential of systemd, or in the data folder.
func (f folder) master() vault.Master {
	if given := os.Getenv(masterVariable); given != "" {
		return vault.Master{Given: given, From: masterVariable}
	}
	if folder := os.Getenv("CREDENTIALS_DIRECTORY"); folder != "" {
		path := filepath.Join(folder, masterCredential)
		if _, err := os.Stat(path); err == nil {
			return vault.Master{File: path, Provided: true}
		}
	}
	return vault.MasterFile(f.path("vault.key"))
}

// mustBe returns an error if there is no desk in the folder.
func (f folder) mustBe(ctx context.Context) error {
	if !f.inFolder() {
		if err := f.mustHaveVault(ctx); err != nil {
			return status{notFound, fmt.Errorf("there is no desk in %s: %w", f.Data, err)}
		}
		return nil
	}
	if _, err := os.Stat(f.path("events.db")); err != nil {
		return status{notFound, fmt.Errorf("there is no desk in %s: %w", f.Data, err)}
	}
	return nil
}

// mustHaveVault returns an error if there is no vault.
func (f folder) mustHaveVault(ctx context.Context) error {
	at, err := f.vaultAt()
	if err != nil {
		return err
	}
	there, err := vault.Exists(ctx, at)
	if err == nil && !there {
		err = errors.New("the vault of this desk is missing: restore the vault and its master key from the same backup as the log")
	}
	return err
}
