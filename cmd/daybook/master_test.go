package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daybook/vault"
)

// TestRotateMaster replaces the master key in the data folder while the desk is served, also with one that is given, and after an
// interruption.
func TestRotateMaster(t *testing.T) {
	t.Parallel()
	f := folder{Data: t.TempDir()}
	c, stop := reexec.Serve(t, f.Data)
	nora := c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"}).ID(t)
	keys := func() []string {
		t.Helper()
		keys, err := vault.MasterFile(f.path("vault.key")).Keys()
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	works := func() {
		t.Helper()
		c.Must(t, 200, "PATCH", "/v1/contacts/"+nora, map[string]any{"note": keys()[0][:10]})
		c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"})
	}
	first := keys()[0]
	if out := inProcess.Must(t, 0, "key", "rotate-master", "--data", f.Data); !strings.Contains(out, "under the new master key") || len(keys()) != 1 || keys()[0] == first {
		t.Errorf("%s; %d keys", out, len(keys()))
	}
	works()
	given, next := filepath.Join(t.TempDir(), "new.key"), vault.NewMasterKey()
	if err := os.WriteFile(given, []byte(next+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inProcess.Must(t, 0, "key", "rotate-master", "--data", f.Data, "--new", given)
	if got := keys(); len(got) != 1 || got[0] != next {
		t.Errorf("%d keys, or another than the given one", len(got))
	}
	works()
	interrupted := vault.NewMasterKey()
	if err := vault.MasterFile(f.path("vault.key")).Write(interrupted, next); err != nil {
		t.Fatal(err)
	}
	works()
	if _, talk, exit := inProcess.Run(t, "key", "rotate-master", "--data", f.Data, "--new", given); exit != conflict || !strings.Contains(talk, "has a new key already") {
		t.Errorf("%d, %s", exit, talk)
	}
	inProcess.Must(t, 0, "key", "rotate-master", "--data", f.Data)
	if got := keys(); len(got) != 1 || got[0] != interrupted {
		t.Errorf("%d keys, or another than that of the interrupted rotation", len(got))
	}
	works()
	stop()
	if err := os.WriteFile(f.path("vault.key"), []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, talk, exit := inProcess.Run(t, "key", "list", "--data", f.Data); exit == 0 || !strings.Contains(talk, "or was replaced") {
		t.Errorf("with the first key: %d, %s", exit, talk)
	}
}

// TestMasterKeyElsewhere takes the master key from the environment, and from a credential of systemd.
func TestMasterKeyElsewhere(t *testing.T) {
	credentials, key, next := t.TempDir(), vault.NewMasterKey(), vault.NewMasterKey()
	for name, put := range map[string]func(keys ...string){
		masterVariable: func(keys ...string) { t.Setenv(masterVariable, strings.Join(keys, " ")) },
		filepath.Join(credentials, masterCredential): func(keys ...string) {
			t.Setenv(masterVariable, "")
			t.Setenv("CREDENTIALS_DIRECTORY", credentials)
			if err := vault.MasterFile(filepath.Join(credentials, masterCredential)).Write(keys...); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f := folder{Data: t.TempDir()}
			put(key)
			c, stop := reexec.Serve(t, f.Data)
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Nora"})
			if _, err := os.Stat(f.path("vault.key")); err == nil {
				t.Error("a master key was made in the data folder")
			}
			if _, talk, exit := inProcess.Run(t, "key", "rotate-master", "--data", f.Data); exit != wrongUsage || !strings.Contains(talk, "comes from "+name) {
				t.Errorf("%d, %s", exit, talk)
			}
			stop()
			put(next, key)
			if out := inProcess.Must(t, 0, "key", "rotate-master", "--data", f.Data); !strings.Contains(out, "Remove the others") {
				t.Error(out)
			}
			put(next)
			c, stop = reexec.Serve(t, f.Data)
			c.Must(t, 201, "POST", "/v1/contacts", map[string]any{"name": "Ben"})
			stop()
			put(key)
			if _, talk, exit := inProcess.Run(t, "key", "list", "--data", f.Data); exit == 0 || !strings.Contains(talk, name+" belongs to another vault, or was replaced") {
				t.Errorf("with the old key: %d, %s", exit, talk)
			}
			put("not a key")
			if _, talk, exit := inProcess.Run(t, "key", "list", "--data", f.Data); exit == 0 || !strings.Contains(talk, "is damaged") {
				t.Errorf("with no key: %d, %s", exit, talk)
			}
		})
	}
}
