package projections_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"daybook/bench/history"
	"daybook/domain/personal"
	"daybook/eventstore/sqlite"
	"daybook/projections"
	"daybook/projections/engine"
)

// oneKey encrypts everything with one key.
type oneKey struct{ cipher.AEAD }

func (k oneKey) Make(context.Context, ...uuid.UUID) error { return nil }
func (k oneKey) Key(uuid.UUID) (cipher.AEAD, error)       { return k.AEAD, nil }

func newKey(t testing.TB) personal.Keys {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return oneKey{box}
}

// deskLog is a log of contacts and their tickets, of about n events.
func deskLog(t testing.TB, n int) engine.Source {
	keys := newKey(t)
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
