package api_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/access"
	"daybook/api"
	"daybook/commands/work"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testdesk"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
	"daybook/vault"
)

// wired returns a desk in this process. watch may wrap its log, and patience is how long requests wait for operations.
func wired(t *testing.T, watch func(eventstore.Store) eventstore.Store, patience time.Duration) (testdesk.Client, *access.Door) {
	t.Helper()
	memory, err := sqlite.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	var store eventstore.Store = memory
	if watch != nil {
		store = watch(memory)
	}
	return wiredTo(t, store, memory, time.Now, patience)
}

// wiredTo returns a desk in this process with a log and a clock. What is projected is read from projected, which is the same log.
func wiredTo(t *testing.T, store, projected eventstore.Store, now func() time.Time, patience time.Duration) (testdesk.Client, *access.Door) {
	t.Helper()
	v, err := vault.Open(filepath.Join(t.TempDir(), "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	live := new(table.Live)
	source := engine.Source{Store: projected, Decode: engine.DecodeWith(v), Projections: projections.All}
	e, err := engine.New(source, table.Folder(t.TempDir()), live)
	if err != nil {
		t.Fatal(err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Run(background, engine.RunOptions{})
	}()
	door := access.New(&access.Door{
		Desk: &work.Desk{Store: store, Keys: v, Names: v, Doors: v}, Vault: v, Live: live, Now: now, Patience: patience, Background: background,
	})
	server := httptest.NewServer(api.New(api.Config{Door: door, Rows: engine.NewRows(source, v, nil), Log: slog.New(slog.DiscardHandler), Drain: background}))
	t.Cleanup(func() {
		server.Close()
		stop()
		door.Wait()
		<-ended
		live.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	_, token, err := v.NewAPIKey(t.Context(), "test", role.Owner, uuid.Nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return testdesk.NewClient(t, server.URL, token), door
}
