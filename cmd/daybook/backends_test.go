package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
	"daybook/vault"
)

// TestBackends imports the same journal into desks on each combination of databases. Their read models must be the same,
// cell for cell, and match their logs.
func TestBackends(t *testing.T) {
	t.Parallel()
	journals := map[string]string{"small": testdesk.JournalFile(t)}
	if testdesk.Soak() {
		journals["italian"] = real(t, "italian-helpdesk.journal.ndjson.gz")
	}
	for name, file := range journals {
		t.Run(name, func(t *testing.T) {
			var want rows
			for _, on := range []struct {
				name  string
				where func(t *testing.T) folder
			}{
				{"SQLite", func(*testing.T) folder { return folder{} }},
				{"PostgreSQL", func(t *testing.T) folder {
					url := testdb.URL(t)
					return folder{Events: url, ReadModels: url}
				}},
				{"EventStoreDB and PostgreSQL", func(t *testing.T) folder {
					server := esdbtest.NewServer(esdbtest.Options{})
					t.Cleanup(server.Close)
					return folder{Events: server.ConnectionString(), ReadModels: testdb.URL(t)}
				}},
			} {
				t.Run(on.name, func(t *testing.T) {
					f := on.where(t)
					f.Data = sameNames(t)
					where := []string{"--events", f.Events, "--read-models", f.ReadModels}
					command := func(exit int, args ...string) {
						t.Helper()
						inProcess.Must(t, exit, append(append(args, "--data", f.Data), where...)...)
					}
					command(someRejected, "import", copied(t, file))
					command(0, "rebuild")
					command(0, "verify")
					got := dump(t, f)
					if want == nil {
						want = got
					}
					mustBeSame(t, on.name, got, want)

					c, _ := inProcess.Serve(t, f.Data, where...)
					c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Of today"})
					c.CaughtUp(t)
					inProcess.Must(t, 0, "verify", "--url", c.URL, "--data", f.Data)
				})
			}
		})
	}
}

// oneNames holds the files of a vault that no desk has used.
var oneNames = sync.OnceValues(func() (files map[string][]byte, err error) {
	folder, err := os.MkdirTemp("", "daybook-names-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	v, err := vault.Open(filepath.Join(folder, "vault.db"))
	if err != nil {
		return nil, err
	}
	if err := v.Close(); err != nil {
		return nil, err
	}
	files = make(map[string][]byte)
	for _, name := range []string{"vault.db", "vault.key"} {
		if files[name], err = os.ReadFile(filepath.Join(folder, name)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// sameNames returns a data folder in which names are hashed with the same key as in every other such folder, so that one
// journal gives the same ids in all of them.
func sameNames(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	files, err := oneNames()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// dump reads all read models of a desk, without what differs between two desks with the same history: positions, times of
// recording, and the owner and key that each created at its first start.
func dump(t *testing.T, f folder) rows {
	t.Helper()
	home, err := f.home(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	db, err := engine.Source{Projections: projections.All, Version: projections.Version}.OpenLive(t.Context(), home)
	if err != nil || db == nil {
		t.Fatal(db, err)
	}
	defer db.Close()
	tables := "SELECT name FROM sqlite_schema WHERE type = 'table'"
	if db.Readers.DriverName() == "postgres" {
		tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	var names []string
	if err := db.Readers.Select(&names, tables); err != nil {
		t.Fatal(err)
	}
	var owner string
	if err := db.Readers.Get(&owner, "SELECT agent_id FROM agents WHERE email = 'owner@localhost'"); err != nil {
		t.Fatal(err)
	}
	all := rows{}
	for _, name := range names {
		if name != "generation" && name != "checkpoints" {
			all[name] = dumpTable(t, db, name, owner)
		}
	}
	return all
}

func dumpTable(t *testing.T, db *table.DB, name, owner string) []string {
	t.Helper()
	if packed, is := packs[name]; is {
		return slices.DeleteFunc(readPacks(t, db.Readers.DB, packed), func(row string) bool { return strings.Contains(row, owner) })
	}
	found, err := db.Readers.Queryx(fmt.Sprintf("SELECT * FROM %q", name))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	types, err := found.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for found.Next() {
		values, err := found.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		var cells []string
		for i, column := range types {
			if column.Name() == "position" || column.Name() == "first_position" || column.Name() == "recorded_at" {
				continue
			}
			if n, ok := values[i].(int64); ok && column.DatabaseTypeName() == "BOOLEAN" { // as in SQLite
				values[i] = n != 0
			}
			cells = append(cells, fmt.Sprintf("%s=%v", column.Name(), values[i]))
		}
		if row := strings.Join(cells, ","); !strings.Contains(row, owner) && !strings.Contains(row, "type=key-") {
			list = append(list, positions.ReplaceAllString(row, ""))
		}
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}
