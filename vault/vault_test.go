package vault_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/vault"
)

var now = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *vault.Vault {
	t.Helper()
	v, err := vault.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

func TestKeysOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	subject, name := uuid.New(), event.Hold{Space: "email/1", Name: "eve@customers.example"}
	first := open(t, path)
	if err := first.Make(t.Context(), subject, subject); err != nil {
		t.Fatal(err)
	}
	key, err := first.Key(subject)
	if err != nil {
		t.Fatal(err)
	}
	box, hashed := key.Seal(nil, nil, []byte("Eve"), nil), first.NameID(name)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	again := open(t, path)
	if err := again.Make(t.Context(), subject); err != nil { // which must not make another
		t.Fatal(err)
	}
	key, err = again.Key(subject)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := key.Open(nil, nil, box, nil); err != nil || string(plain) != "Eve" {
		t.Errorf("%q, %v", plain, err)
	}
	if again.NameID(name) != hashed {
		t.Error("a name has another hash after opening again")
	}
	if again.NameID(event.Hold{Space: "login/1", Name: name.Name}) == hashed {
		t.Error("one name in two spaces has one hash")
	}
}

func TestUnknownSubject(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault.db"))
	var missing *personal.NoKeyError
	if _, err := v.Key(uuid.New()); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

// TestMasterKey: the vault says what to do when its master key is missing, damaged or another's.
func TestMasterKey(t *testing.T) {
	folder := t.TempDir()
	path, keyFile := filepath.Join(folder, "vault.db"), filepath.Join(folder, "vault.key")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(keyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	mine, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ key, says string }{
		"missing":   {"", "put it back from the backup"},
		"damaged":   {"secret", "64 hexadecimal digits"},
		"another's": {strings.Repeat("00", 32), "belongs to another vault"},
	} {
		t.Run(what, func(t *testing.T) {
			if c.key == "" {
				os.Remove(keyFile)
			} else if err := os.WriteFile(keyFile, []byte(c.key), 0o600); err != nil {
				t.Fatal(err)
			}
			if v, err := vault.Open(path); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	if err := os.WriteFile(keyFile, mine, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// TestNoKeyLiesOpen: neither keys of persons nor secrets of API keys can be read in the file.
func TestNoKeyLiesOpen(t *testing.T) {
	folder := t.TempDir()
	v := open(t, filepath.Join(folder, "vault.db"))
	_, token, err := v.NewAPIKey(t.Context(), "ci", role.Admin, uuid.Nil, now)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, _ := strings.Cut(strings.TrimPrefix(token, "daybook_"), "_")
	for _, name := range []string{"vault.db", "vault.db-wal"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte(secret)) {
			t.Errorf("the secret of a key can be read in %s", name)
		}
	}
}

func TestAPIKeys(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault.db"))
	agent := uuid.New()
	key, token, err := v.NewAPIKey(t.Context(), " ci ", role.Agent, agent, now)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := v.Authenticate(t.Context(), token); err != nil || found != key || found.Name != "ci" {
		t.Errorf("%+v, %v", found, err)
	}
	for _, bad := range []string{"", "daybook_", "daybook_x_y", token + "x", token[:len(token)-1], strings.ToUpper(token), "Bearer " + token} {
		if _, err := v.Authenticate(t.Context(), bad); !errors.Is(err, vault.ErrBadKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, _, err := v.NewAPIKey(t.Context(), "", role.Agent, agent, now); err == nil {
		t.Error("a key without a name")
	}
	if _, _, err := v.NewAPIKey(t.Context(), "x", "king", agent, now); err == nil {
		t.Error("a key with a role that there is not")
	}
	if err := v.RevokeAPIKey(t.Context(), "nope", now); err == nil {
		t.Error("revoked a key that there is not")
	}
	if err := v.RevokeAgent(t.Context(), agent, now); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Authenticate(t.Context(), token); !errors.Is(err, vault.ErrBadKey) {
		t.Errorf("revoked with its agent: %v", err)
	}
	if err := v.RevokeAPIKey(t.Context(), key.ID, now); err != nil {
		t.Errorf("revoked again: %v", err)
	}
}

func TestRequests(t *testing.T) {
	v := open(t, filepath.Join(t.TempDir(), "vault.db"))
	begin := func(principal, key, digest string) (*vault.Outcome, error) {
		return v.BeginRequest(t.Context(), principal, key, digest, now)
	}
	for range 2 { // it is under way, or its process died
		if o, err := begin("ann", "k", "d"); o != nil || err != nil {
			t.Fatalf("%+v, %v", o, err)
		}
	}
	if _, err := begin("ann", "k", "other"); !errors.Is(err, vault.ErrKeyReused) {
		t.Errorf("%v", err)
	}
	if o, err := begin("bob", "k", "other"); o != nil || err != nil {
		t.Errorf("another's key: %+v, %v", o, err)
	}
	want := vault.Outcome{Stream: "ticket-x", Revision: 3, Position: 9, Created: true}
	if err := v.FinishRequest(t.Context(), "ann", "k", want); err != nil {
		t.Fatal(err)
	}
	if o, err := begin("ann", "k", "d"); err != nil || o == nil || *o != want {
		t.Errorf("%+v, %v", o, err)
	}
	if err := v.DropRequests(t.Context(), now.Add(vault.KeepRequests/2)); err != nil {
		t.Fatal(err)
	}
	if o, err := begin("ann", "k", "d"); o == nil || err != nil {
		t.Errorf("it was forgotten early: %v", err)
	}
	if err := v.DropRequests(t.Context(), now.Add(vault.KeepRequests+time.Second)); err != nil {
		t.Fatal(err)
	}
	if o, err := begin("ann", "k", "d"); o != nil || err != nil {
		t.Errorf("it was not forgotten: %+v, %v", o, err)
	}
}
