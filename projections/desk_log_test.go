package projections_test

import (
	"path/filepath"
	"testing"

	"daybook/bench/history"
	"daybook/domain/personal/personaltest"
	"daybook/eventstore/sqlite"
	"daybook/projections"
	"daybook/projections/engine"
)

// deskLog is a log of contacts and their tickets, of about n events.
func deskLog(t testing.TB, n int) engine.Source {
	keys := &personaltest.Keys{}
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "log.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	if err := history.Write(t.Context(), store, keys, n); err != nil {
		t.Fatal(err)
	}
	return engine.Source{Store: store, Projections: projections.All, Version: projections.Version, Decode: engine.DecodeWith(keys)}
}
