package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/vault"
)

// TestOlderFormatIsRefused opens a log that was written before the stored form was settled, with every command that opens
// one. Nothing is changed.
func TestOlderFormatIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	v, err := vault.Open(filepath.Join(folder, "vault.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(filepath.Join(folder, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = eventstore.AppendTo(t.Context(), store, "department-"+uuid.NewString(), eventstore.NoStream, []eventstore.Event{{
		ID: uuid.New(), Type: "department-created", Data: []byte(`{"name":"Sales"}`),
		Meta: []byte(`{"at":"2026-03-02T12:00:00Z","actor":"system","through":"api","reason":"","request":"` + uuid.NewString() + `","$causationId":"c"}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0"}, {"verify"}, {"rebuild"}, {"replay", "--as-of", "2026-03-02T12:00:00Z", "--to", filepath.Join(t.TempDir(), "then.db")}, {"simulate"},
	} {
		_, talk, exit := inProcess.Run(t, append(args, "--data", folder)...)
		if exit == 0 || !strings.Contains(talk, "format of a version of Daybook before its first release") || !strings.Contains(talk, "import again") {
			t.Errorf("%s: exit %d, %s", args[0], exit, talk)
		}
	}
	again, err := sqlite.Open(filepath.Join(folder, "events.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if head, err := again.Head(t.Context()); err != nil || head != 1 {
		t.Errorf("the log is at %d (%v)", head, err)
	}
}
