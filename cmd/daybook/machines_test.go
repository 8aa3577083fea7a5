package main

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"daybook/eventstore/esdb/esdbtest"
	"daybook/internal/testdb"
	"daybook/internal/testdesk"
)

// TestMachines serves a desk from three processes with data folders of their own, as on three machines: they share the log, the read
// models and the vault, which are in databases, and have the master key in their environment. Under load each is killed in turn, and
// the master key is replaced meanwhile. Nothing is lost or done twice.
func TestMachines(t *testing.T) {
	kills, n := 6, 150
	if testdesk.Soak() {
		kills, n = 90, 3000
	}
	for name, events := range map[string]func(t *testing.T, database string) string{
		"PostgreSQL": func(_ *testing.T, database string) string { return database },
		"EventStoreDB": func(t *testing.T, _ string) string {
			server := esdbtest.NewServer(esdbtest.Options{})
			t.Cleanup(server.Close)
			return server.ConnectionString()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := testdb.NewServer(t)
			d := &disturbed{T: t, random: testdesk.Chance(t), server: server, folder: t.TempDir()}
			d.where = append(shared(events(t, server.URL()), server.URL()), "--vault", server.URL(), "--lease", "500ms")
			first, second := newMaster(), newMaster()
			t.Setenv(masterVariable, first)
			for i, folder := range []string{d.folder, t.TempDir(), t.TempDir()} {
				if i > 0 {
					copyFile(t, filepath.Join(d.folder, "owner.key"), filepath.Join(folder, "owner.key"))
				}
				p := &part{only: "api,projections,reactions", folder: folder}
				d.parts = append(d.parts, p)
				d.start(p)
			}
			l := d.begin(n)
			for i := range kills {
				switch i {
				case kills / 3: // from now on, each that starts again has both keys
					t.Setenv(masterVariable, second+" "+first)
				case kills/3 + len(d.parts): // by now all have
					inProcess.Must(t, 0, append([]string{"key", "rotate-master", "--data", d.folder}, d.where...)...)
					t.Setenv(masterVariable, second)
				}
				p := d.parts[i%len(d.parts)]
				p.Kill()
				l.goOn(n / kills / 2)
				d.start(p)
				l.goOn(n / kills / 2)
			}
			l.goOn(n)
			d.comesRight(l)
			l.end(d.desk())
			for _, p := range d.parts {
				p.Kill()
			}
			for _, p := range d.parts { // each has all of it, with the new key alone
				t.Setenv(masterVariable, second)
				inProcess.Must(t, 0, append([]string{"verify", "--data", p.folder}, d.where...)...)
				if files, err := filepath.Glob(filepath.Join(p.folder, "*.db*")); err != nil || len(files) > 0 {
					t.Errorf("in the folder: %v, %v", files, err)
				}
			}
		})
	}
}

func newMaster() string {
	var key [32]byte
	rand.Read(key[:])
	return hex.EncodeToString(key[:])
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
