package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/internal/testdb"
	"daybook/vault"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A place is where a vault is.
type place struct{ database, key string }

func inFile(folder string) place {
	return place{filepath.Join(folder, "vault.db"), filepath.Join(folder, "vault.key")}
}

// TestVault runs every test on each backend.
func TestVault(t *testing.T) {
	t.Parallel()
	for backend, newPlace := range map[string]func(*testing.T) place{
		"SQLite":     func(t *testing.T) place { return inFile(t.TempDir()) },
		"PostgreSQL": func(t *testing.T) place { return place{testdb.URL(t), filepath.Join(t.TempDir(), "vault.key")} },
	} {
		for name, test := range map[string]func(*testing.T, func(*testing.T) place){
			"Seal":                        testSeal,
			"KeysOfPersons":               testKeysOfPersons,
			"Names":                       testNames,
			"KeysWhileOthersAreDestroyed": testKeysWhileOthersAreDestroyed,
			"RotatedMaster":               testRotatedMaster,
			"Noted":                       testNoted,
			"DestroyedKeys":               testDestroyedKeys,
			"APIKeys":                     testAPIKeys,
			"AlteredAPIKeys":              testAlteredAPIKeys,
			"Outcomes":                    testOutcomes,
			"Blobs":                       testBlobs,
			"ConcurrentVault":             testConcurrentVault,
			"Damaged":                     testDamaged,
		} {
			t.Run(backend+"/"+name, func(t *testing.T) {
				t.Parallel()
				test(t, newPlace)
			})
		}
	}
}

func TestMain(m *testing.M) { os.Exit(testdb.Run(m)) }

func mustOpen(t *testing.T, p place) *vault.Vault {
	t.Helper()
	v, err := vault.OpenAt(t.Context(), p.database, vault.MasterFile(p.key))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// sql is what somebody who can write to the vault's database has.
func (p place) sql(t *testing.T) *sqlx.DB {
	t.Helper()
	driver, source := "sqlite", "file:"+p.database+"?_pragma=busy_timeout(5000)"
	if vault.InPostgreSQL(p.database) {
		driver, source = "postgres", p.database+"&search_path=vault"
	}
	db, err := sqlx.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// files returns what the database has on its disk, but for the write-ahead log of PostgreSQL.
func (p place) files(t *testing.T) map[string][]byte {
	t.Helper()
	pattern := p.database + "*"
	if vault.InPostgreSQL(p.database) {
		db := p.sql(t)
		if _, err := db.Exec("CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
		if err := db.Get(&pattern, "SELECT current_setting('data_directory') || '/base/' || oid || '/*' FROM pg_database WHERE datname = current_database()"); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	all := make(map[string][]byte)
	for _, name := range names {
		if all[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// holds reports which file has some bytes.
func (p place) holds(t *testing.T, b []byte) (name string, found bool) {
	t.Helper()
	for name, data := range p.files(t) {
		if bytes.Contains(data, b) {
			return name, true
		}
	}
	return "", false
}

// change executes a statement, which must change one row.
func change(t *testing.T, db *sqlx.DB, statement string) {
	t.Helper()
	done, err := db.Exec(statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}

// testSeal seals a text, opens it again, and changes it.
func testSeal(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	v, other := mustOpen(t, path), mustOpen(t, newPlace(t))
	sealed := v.Seal("Nora")
	if strings.Contains(sealed, "Nora") || sealed == v.Seal("Nora") || url.QueryEscape(sealed) != sealed {
		t.Errorf("sealed: %s", sealed)
	}
	if text, ok := mustOpen(t, path).Unseal(sealed); text != "Nora" || !ok { // after a restart
		t.Errorf("unsealed: %q, %t", text, ok)
	}
	for _, wrong := range []string{"", "Nora", sealed + "A", sealed[1:], other.Seal("Nora")} {
		if text, ok := v.Unseal(wrong); text != "" || ok {
			t.Errorf("%q was unsealed: %q", wrong, text)
		}
	}
}

func testKeysOfPersons(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	v := mustOpen(t, path)
	nora, other := uuid.New(), uuid.New()
	var none *personal.NoKeyError
	if _, err := v.Key(nora); !errors.As(err, &none) || none.Subject != nora {
		t.Fatalf("before it was made: %v", err)
	}
	if err := v.Make(t.Context(), nora, other, nora); err != nil {
		t.Fatal(err)
	}
	key, err := v.Key(nora)
	if err != nil {
		t.Fatal(err)
	}
	sealed := key.Seal(nil, nil, []byte("words"), []byte("about"))
	if err := v.Make(t.Context(), nora); err != nil { // again: the key stays
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	v = mustOpen(t, path)
	if key, err = v.Key(nora); err != nil {
		t.Fatal(err)
	}
	if words, err := key.Open(nil, nil, sealed, []byte("about")); err != nil || string(words) != "words" {
		t.Errorf("opened again: %s, %v", words, err)
	}
	if theirs, err := v.Key(other); err != nil {
		t.Error(err)
	} else if _, err := theirs.Open(nil, nil, sealed, []byte("about")); err == nil {
		t.Error("another person's key opens it")
	}
	if _, err := key.Open(nil, nil, sealed, []byte("another place")); err == nil {
		t.Error("what was sealed opens in another place")
	}
	if info, err := os.Stat(path.key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the master key is %v (%v)", info, err)
	}
}

func testNames(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	v := mustOpen(t, path)
	id := v.Hash("email/1", "nora@customers.example")
	if id == v.Hash("email/1", "other@customers.example") || id == v.Hash("phone/1", "nora@customers.example") {
		t.Error("two names have one id")
	}
	v.Close()
	if again := mustOpen(t, path).Hash("email/1", "nora@customers.example"); again != id {
		t.Error("a name has another id after a restart")
	}
	if other := mustOpen(t, newPlace(t)).Hash("email/1", "nora@customers.example"); other == id {
		t.Error("a name has the same id on another desk: it could be looked up")
	}
}

func TestMasterKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ key, says string }{
		"missing": {"", "is missing"},
		"short":   {"00ff\n", "is damaged"},
		"no hex":  {strings.Repeat("zz", 32), "is damaged"},
		"another": {strings.Repeat("00", 32), "another vault"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			path, key := filepath.Join(folder, "vault.db"), filepath.Join(folder, "vault.key")
			if err := mustOpen(t, inFile(folder)).Close(); err != nil {
				t.Fatal(err)
			}
			err := os.Remove(key)
			if test.key != "" {
				err = os.WriteFile(key, []byte(test.key), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := vault.Open(path); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want something that says: %s", err, test.says)
			}
			if _, err := os.Stat(key); test.key == "" && err == nil {
				t.Error("a new master key was made for an old vault")
			}
		})
	}
}

// testDestroyedKeys destroys a person's key in one of two open vaults, like those of two processes. When that is answered,
// neither opens or seals anything for that person, and the key is in no file.
func testDestroyedKeys(t *testing.T, newPlace func(*testing.T) place) {
	path, nora, ben := newPlace(t), uuid.New(), uuid.New()
	v, other := mustOpen(t, path), mustOpen(t, path)
	if err := v.Make(t.Context(), nora, ben); err != nil {
		t.Fatal(err)
	}
	for _, v := range []*vault.Vault{v, other} {
		if _, err := v.Key(nora); err != nil {
			t.Fatal(err)
		}
	}
	wrapped := wrappedKey(t, path, nora)
	if err := v.Destroy(t.Context(), nora); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*vault.Vault{"the same": v, "another": other, "a new": mustOpen(t, path)} {
		if _, err := v.Key(nora); !errors.Is(err, personal.ErrForgotten) {
			t.Errorf("%s process: %v", name, err)
		}
		if err := v.Make(t.Context(), nora); err != nil {
			t.Error(err)
		}
		if _, err := v.Key(nora); !errors.Is(err, personal.ErrForgotten) {
			t.Errorf("%s process after making keys: %v", name, err)
		}
		if _, err := v.Key(ben); err != nil {
			t.Errorf("%s process, another person: %v", name, err)
		}
	}
	if name, found := path.holds(t, wrapped); found {
		t.Errorf("%s still has the destroyed key", name)
	}
}

// wrappedKey returns a person's key as the vault has it.
func wrappedKey(t *testing.T, p place, subject uuid.UUID) (wrapped []byte) {
	t.Helper()
	db := p.sql(t)
	if err := db.Get(&wrapped, db.Rebind("SELECT wrapped FROM persons WHERE subject = ?"), subject.String()); err != nil || len(wrapped) < 32 {
		t.Fatalf("%x, %v", wrapped, err)
	}
	if _, found := p.holds(t, wrapped); !found {
		t.Fatal("the key is in no file before it is destroyed")
	}
	return wrapped
}

func testAPIKeys(t *testing.T, newPlace func(*testing.T) place) {
	path, ada := newPlace(t), uuid.New()
	v := mustOpen(t, path)
	var none *personal.NoKeyError
	if _, _, err := v.NewAPIKey(t.Context(), "panel", role.Agent, ada, now); !errors.As(err, &none) || none.Subject != ada {
		t.Errorf("for an agent whose key is missing: %v", err)
	}
	if err := v.Make(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mustOpen(t, newPlace(t)).NewAPIKey(t.Context(), "itself", role.Channel, uuid.Nil, now); err != nil {
		t.Fatal(err)
	}
	key, token, err := v.NewAPIKey(t.Context(), " panel ", role.Agent, ada, now)
	if err != nil {
		t.Fatal(err)
	}
	if name, found := path.holds(t, []byte(token[len(token)-20:])); found {
		t.Errorf("%s holds the secret of a key", name)
	}
	got, err := v.Authenticate(t.Context(), token)
	if err != nil || got.ID != key.ID || got.Role != role.Agent || got.Agent != ada {
		t.Errorf("%v: %+v, want %+v", err, got, key)
	}
	if name, err := v.APIKeyName(t.Context(), got); err != nil || name != "panel" {
		t.Errorf("the key is called %q (%v)", name, err)
	}
	for _, bad := range []string{"", "daybook_", "daybook_" + key.ID, "daybook_" + key.ID + "_", token + "x", token[:len(token)-1], strings.TrimPrefix(token, "daybook_"), "daybook_nobody_secret"} {
		if _, err := v.Authenticate(t.Context(), bad); !errors.Is(err, vault.ErrBadKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	second := mustOpen(t, path) // as the program's key command beside a server
	if err := second.RevokeAPIKey(t.Context(), key.ID, now); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Authenticate(t.Context(), token); !errors.Is(err, vault.ErrBadKey) {
		t.Errorf("a revoked key, where it was revoked: %v", err)
	}
	for began := time.Now(); ; { // elsewhere, within a lease
		if _, err := v.Authenticate(t.Context(), token); errors.Is(err, vault.ErrBadKey) {
			break
		} else if err != nil || time.Since(began) > time.Minute {
			t.Fatalf("a key that another process revoked: %v", err)
		}
	}
	if err := v.RevokeAPIKey(t.Context(), key.ID, now); err != nil {
		t.Errorf("revoked again: %v", err)
	}
	var no *domain.Error
	if err := v.RevokeAPIKey(t.Context(), "nobody", now); !errors.As(err, &no) || no.Refusal != domain.RefusedNotFound {
		t.Errorf("a key that there is not: %v", err)
	}
	_, tokenOfAda, err := v.NewAPIKey(t.Context(), "phone", role.Agent, ada, now)
	if err == nil {
		var revoked []uuid.UUID
		if revoked, err = v.Revoke(t.Context(), ada, now); len(revoked) != 2 {
			t.Errorf("revoked %v", revoked)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Authenticate(t.Context(), tokenOfAda); !errors.Is(err, vault.ErrBadKey) {
		t.Errorf("the key of an agent who left: %v", err)
	}
	if keys, err := v.APIKeys(t.Context()); err != nil || len(keys) != 2 || keys[0].Name == keys[1].Name || keys[0].RevokedAt == "" || keys[1].RevokedAt == "" {
		t.Errorf("%v: %+v", err, keys)
	}
	for recorded := range 3 { // both were created and revoked
		open, err := v.UnrecordedAPIKeys(t.Context())
		if err != nil || len(open) != 2-recorded/2 {
			t.Errorf("%d events are recorded: %v, %+v", recorded, err, open)
		}
		if err := v.RecordedAPIKey(t.Context(), key.ID, recorded+1); err != nil {
			t.Fatal(err)
		}
	}
	for _, bad := range []struct {
		name string
		role role.Role
	}{{"", role.Agent}, {"  ", role.Agent}, {strings.Repeat("n", 201), role.Agent}, {"n", "king"}} {
		if _, _, err := v.NewAPIKey(t.Context(), bad.name, bad.role, ada, now); !errors.As(err, &no) || no.Refusal != domain.RefusedInvalid {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// testAlteredAPIKeys puts a key into the vault by hand, and changes each column of one. None of them lets anybody in.
func testAlteredAPIKeys(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	v, db := mustOpen(t, path), path.sql(t)
	ada := uuid.New()
	if err := v.Make(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	for what, statement := range map[string]string{
		"role":       "UPDATE api_keys SET role = 'owner' WHERE id = '%s'",
		"agent":      "UPDATE api_keys SET agent = '00000000-0000-0000-0000-000000000000' WHERE id = '%s'",
		"created_at": "UPDATE api_keys SET created_at = '2020-01-01T00:00:00Z' WHERE id = '%s'",
		"mac":        "UPDATE api_keys SET mac = substr(mac, 1, 39) WHERE id = '%s'",
	} {
		key, token, err := v.NewAPIKey(t.Context(), what, role.Agent, ada, now)
		if err != nil {
			t.Fatal(err)
		}
		change(t, db, fmt.Sprintf(statement, key.ID))
		if _, err := v.Authenticate(t.Context(), token); !errors.Is(err, vault.ErrBadKey) || !errors.Is(err, vault.ErrAltered) {
			t.Errorf("%s was changed: %v", what, err)
		}
	}
	key, token, err := v.NewAPIKey(t.Context(), "revoked", role.Agent, ada, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.RevokeAPIKey(t.Context(), key.ID, now); err != nil {
		t.Fatal(err)
	}
	change(t, db, "UPDATE api_keys SET revoked_at = '' WHERE id = '"+key.ID+"'")
	if _, err := v.Authenticate(t.Context(), token); !errors.Is(err, vault.ErrBadKey) || !errors.Is(err, vault.ErrAltered) {
		t.Errorf("a key that was revoked: %v", err)
	}
	// The same key under another id, and with another secret.
	key, token, err = v.NewAPIKey(t.Context(), "copied", role.Agent, ada, now)
	if err != nil {
		t.Fatal(err)
	}
	change(t, db, "INSERT INTO api_keys (id, name, role, agent, hash, created_at, mac) SELECT 'copy', name, role, agent, hash, created_at, mac FROM api_keys WHERE id = '"+key.ID+"'")
	_, secret, _ := strings.Cut(strings.TrimPrefix(token, "daybook_"), "_")
	if _, err := v.Authenticate(t.Context(), "daybook_copy_"+secret); !errors.Is(err, vault.ErrAltered) {
		t.Errorf("a copied key: %v", err)
	}
	if _, err := v.Authenticate(t.Context(), token); err != nil {
		t.Errorf("the one that it was copied from: %v", err)
	}
	all, err := v.APIKeys(t.Context())
	if err != nil || len(all) != 7 {
		t.Fatal(len(all), err)
	}
	for _, k := range all {
		if k.Altered != (k.ID != key.ID) {
			t.Errorf("%+v", k)
		}
		if k.Altered {
			if err := v.RevokeAPIKey(t.Context(), k.ID, now); err != nil {
				t.Error(err)
			}
		}
	}
	if all, err := v.APIKeys(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("after those that were altered are revoked: %v, %+v", err, all)
	}
}

func testOutcomes(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	v := mustOpen(t, path)
	ada, ben := v.Hash("request", "ada", "k"), v.Hash("request", "ben", "k")
	is := func(when string, request uuid.UUID, want *vault.Outcome) {
		t.Helper()
		got, err := v.Outcome(t.Context(), request)
		if err != nil || fmt.Sprintf("%+v", deref(got)) != fmt.Sprintf("%+v", deref(want)) {
			t.Errorf("%s: %+v, %v, want %+v", when, deref(got), err, deref(want))
		}
	}
	is("at first", ada, nil)
	refused := vault.Outcome{Digest: "body", Refusal: &domain.Error{Refusal: domain.RefusedConflict, Code: "taken", Message: "Taken.", Fields: []domain.FieldError{{Field: "f", Code: "c", Message: "m"}}}}
	done := vault.Outcome{Digest: "body", Stream: "contact-1", Revision: 3, Position: 7}
	keep := func(request uuid.UUID, o vault.Outcome) error { return keepOutcome(v, request, o) }
	if err := keep(ada, refused); err != nil {
		t.Fatal(err)
	}
	v.Close()
	v = mustOpen(t, path)
	is("after a restart", ada, &refused)
	is("somebody else's", ben, nil)
	other := done
	other.Digest = "another body"
	if err := keep(ada, other); !errors.Is(err, vault.ErrKeyReused) {
		t.Errorf("another body: %v", err)
	}
	is("after another body", ada, &refused)
	for _, next := range []vault.Outcome{done, refused} { // a refusal changes nothing any more
		if err := keep(ada, next); err != nil {
			t.Fatal(err)
		}
		is("after it took effect", ada, &done)
	}
	// An outcome is known for a week.
	if err := v.DropOutcomes(t.Context(), now.Add(vault.KeepOutcomes)); err != nil {
		t.Fatal(err)
	}
	is("after a week", ada, &done)
	if err := v.DropOutcomes(t.Context(), now.Add(vault.KeepOutcomes+time.Second)); err != nil {
		t.Fatal(err)
	}
	is("after more than a week", ada, nil)
}

func keepOutcome(v *vault.Vault, request uuid.UUID, o vault.Outcome) error {
	kept := make(chan error, 1)
	v.KeepOutcome(context.Background(), request, o, now, true, func(err error) { kept <- err })
	return <-kept
}

func deref(o *vault.Outcome) (all [2]any) {
	if o != nil {
		all[1] = o.Refusal
		bare := *o
		bare.Refusal = nil
		all[0] = bare
		if o.Refusal != nil {
			all[1] = *o.Refusal
		}
	}
	return all
}

// testConcurrentVault makes keys and requests concurrently, in two open vaults like those of a server and the key command.
func testConcurrentVault(t *testing.T, newPlace func(*testing.T) place) {
	path := newPlace(t)
	vaults := []*vault.Vault{mustOpen(t, path), mustOpen(t, path)}
	nora := uuid.New()
	var all sync.WaitGroup
	var mu sync.Mutex
	var sealed [][]byte
	for i := range 16 {
		v := vaults[i%2]
		all.Go(func() {
			if err := v.Make(t.Context(), nora, uuid.New()); err != nil {
				t.Error(err)
				return
			}
			key, err := v.Key(nora)
			if err != nil {
				t.Error(err)
				return
			}
			if err := keepOutcome(v, nora, vault.Outcome{Digest: "d"}); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			sealed = append(sealed, key.Seal(nil, nil, []byte("words"), nil))
		})
	}
	all.Wait()
	key, err := vaults[0].Key(nora)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sealed {
		if _, err := key.Open(nil, nil, s, nil); err != nil {
			t.Errorf("one person got two keys: %v", err)
		}
	}
}

// testKeysWhileOthersAreDestroyed reads and makes keys while others are destroyed, which writes them anew in PostgreSQL.
func testKeysWhileOthersAreDestroyed(t *testing.T, newPlace func(*testing.T) place) {
	path, nora := newPlace(t), uuid.New()
	v := mustOpen(t, path)
	if err := v.Make(t.Context(), nora); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		other := mustOpen(t, path)
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				id := uuid.New()
				if err := other.Make(t.Context(), id); err != nil {
					t.Error(err)
					return
				}
				for _, id := range []uuid.UUID{id, nora} {
					if _, err := other.Key(id); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for range 3 {
		if err := v.Destroy(t.Context(), uuid.New()); err != nil {
			t.Error(err)
		}
	}
	close(done)
	all.Wait()
}

// testRotatedMaster changes the master key while other processes make keys, of which one has its master key from elsewhere.
func testRotatedMaster(t *testing.T, newPlace func(*testing.T) place) {
	path, nora, gone := newPlace(t), uuid.New(), uuid.New()
	v, running := mustOpen(t, path), mustOpen(t, path)
	from := vault.MasterFile(path.key)
	old, err := from.Keys()
	if err != nil {
		t.Fatal(err)
	}
	given := func(keys ...string) (*vault.Vault, error) {
		g, err := vault.OpenAt(t.Context(), path.database, vault.Master{Given: strings.Join(keys, " "), From: "DAYBOOK_MASTER_KEY"})
		if err == nil {
			t.Cleanup(func() { g.Close() })
		}
		return g, err
	}
	elsewhere, err := given(old...)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Make(t.Context(), nora, gone); err != nil {
		t.Fatal(err)
	}
	if err := v.Destroy(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	_, token, err := v.NewAPIKey(t.Context(), "panel", role.Agent, nora, now)
	if err != nil {
		t.Fatal(err)
	}
	key, err := v.Key(nora)
	if err != nil {
		t.Fatal(err)
	}
	sealed, carried, hash := key.Seal(nil, nil, []byte("words"), nil), v.Seal("cursor"), v.Hash("email/1", "nora@customers.example")

	stop := make(chan struct{})
	var made []uuid.UUID
	var all sync.WaitGroup
	all.Go(func() {
		for {
			id := uuid.New()
			if err := running.Make(t.Context(), id); err != nil {
				t.Error(err)
				return
			}
			made = append(made, id)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	next := vault.NewMasterKey()
	if err := from.Write(append([]string{next}, old...)...); err != nil {
		t.Fatal(err)
	}
	if err := v.RotateMaster(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := from.Write(next); err != nil {
		t.Fatal(err)
	}
	close(stop)
	all.Wait()

	if _, err := given(old...); err == nil || !strings.Contains(err.Error(), "the master key DAYBOOK_MASTER_KEY belongs to another vault, or was replaced") {
		t.Errorf("opened with the old key: %v", err)
	}
	if err := elsewhere.Make(t.Context(), uuid.New()); err == nil || !strings.Contains(err.Error(), "is needed too") {
		t.Errorf("a key was made under the old one: %v", err)
	}
	if _, err := elsewhere.Authenticate(t.Context(), token); err == nil || !strings.Contains(err.Error(), "is needed too") {
		t.Errorf("with the old key: %v", err)
	}
	anew, err := given(next)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*vault.Vault{"the same": v, "running": running, "new": mustOpen(t, path), "elsewhere": anew} {
		if _, err := v.Key(gone); !errors.Is(err, personal.ErrForgotten) {
			t.Errorf("%s process: a destroyed key: %v", name, err)
		}
		if _, err := v.Authenticate(t.Context(), token); err != nil {
			t.Errorf("%s process: an API key: %v", name, err)
		}
		if key, err := v.Key(nora); err != nil {
			t.Errorf("%s process: %v", name, err)
		} else if words, err := key.Open(nil, nil, sealed, nil); err != nil || string(words) != "words" {
			t.Errorf("%s process: %q, %v", name, words, err)
		}
		if text, ok := v.Unseal(carried); !ok || text != "cursor" || v.Hash("email/1", "nora@customers.example") != hash {
			t.Errorf("%s process: %q, %t, or names have another hash", name, text, ok)
		}
		for _, id := range made {
			if _, err := v.Key(id); err != nil {
				t.Fatalf("%s process: a key that was made meanwhile: %v", name, err)
			}
		}
	}
}

func testNoted(t *testing.T, newPlace func(*testing.T) place) {
	path, log := newPlace(t), uuid.New()
	v := mustOpen(t, path)
	is := func(want vault.Noted) {
		t.Helper()
		if got, err := mustOpen(t, path).Noted(t.Context()); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	is(vault.Noted{})
	for _, n := range []vault.Noted{{Log: log}, {log, 539, vault.Event{Stream: "contact-1", Revision: 3, ID: uuid.New()}}, {log, 530, vault.Event{Stream: "ticket-1", Revision: 0, ID: uuid.New()}}} {
		if err := v.Note(t.Context(), n.Log, n.At, n.Event); err != nil {
			t.Fatal(err)
		}
		is(n)
	}
}

// testBlobs stores data about two people. It is sealed, found by its id alone, and gone with the person's key.
func testBlobs(t *testing.T, newPlace func(*testing.T) place) {
	p := newPlace(t)
	v, other := mustOpen(t, p), mustOpen(t, p)
	nora, dan := uuid.New(), uuid.New()
	if _, err := v.KeepBlob(t.Context(), nora, []byte("picture")); !errors.As(err, new(*personal.NoKeyError)) {
		t.Errorf("without a key: %v", err)
	}
	if err := v.Make(t.Context(), nora, dan); err != nil {
		t.Fatal(err)
	}
	keeps := func(of uuid.UUID, data []byte) uuid.UUID {
		t.Helper()
		id, err := v.KeepBlob(t.Context(), of, data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.Blob(t.Context(), of, id); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d, %v", len(got), len(data), err)
		}
		return id
	}
	large := bytes.Repeat([]byte("picture "), vault.MaxBlob/8)
	first, second, empty, his := keeps(nora, large), keeps(nora, []byte("another picture")), keeps(nora, nil), keeps(dan, []byte("his picture"))
	if _, err := v.KeepBlob(t.Context(), nora, append(large, 'x')); !errors.Is(err, vault.ErrBlobTooLong) {
		t.Errorf("one that is too large: %v", err)
	}
	lacks := func(of, id uuid.UUID, want error) {
		t.Helper()
		if got, err := other.Blob(t.Context(), of, id); !errors.Is(err, want) || got != nil {
			t.Errorf("%q, %v, want %v", got, err, want)
		}
	}
	lacks(dan, second, vault.ErrNoBlob)
	lacks(nora, uuid.New(), vault.ErrNoBlob)
	for i, want := range []bool{false, true, true} { // the first stay
		there, err := v.KeepBlobs(t.Context(), nora, map[uuid.UUID][]byte{{1}: {'0' + byte(i)}, {2}: nil})
		if got, readErr := other.Blob(t.Context(), nora, uuid.UUID{1}); err != nil || there != want || readErr != nil || string(got) != "0" {
			t.Errorf("kept again: %t, %v; it is %q, %v", there, err, got, readErr)
		}
	}
	if err := v.DropBlobs(t.Context(), empty, uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}); err != nil {
		t.Fatal(err)
	}
	lacks(nora, empty, vault.ErrNoBlob)
	listed := map[uuid.UUID]uuid.UUID{}
	for after, n := uuid.Nil, 2; n == 2; {
		page, err := other.Blobs(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range page {
			listed[b.ID], after = b.Subject, b.ID
		}
		n = len(page)
	}
	if want := map[uuid.UUID]uuid.UUID{first: nora, second: nora, his: dan}; !maps.Equal(listed, want) {
		t.Errorf("%v are listed, want %v", listed, want)
	}

	db := p.sql(t)
	var boxes [][]byte
	if err := db.Select(&boxes, "SELECT box FROM blobs"); err != nil || len(boxes) != 3 {
		t.Fatalf("%d boxes, %v", len(boxes), err)
	}
	for _, box := range boxes {
		if bytes.Contains(box, []byte("picture")) {
			t.Error("a blob is in clear")
		}
	}
	db.MustExec(db.Rebind("UPDATE blobs SET box = (SELECT box FROM blobs WHERE id = ?) WHERE id = ?"), first.String(), second.String())
	lacks(nora, second, vault.ErrDamaged)

	if err := v.Destroy(t.Context(), nora); err != nil {
		t.Fatal(err)
	}
	lacks(nora, first, personal.ErrForgotten)
	if got, err := other.Blob(t.Context(), dan, his); err != nil || string(got) != "his picture" {
		t.Errorf("%q, %v", got, err)
	}
	var left []string
	if err := db.Select(&left, "SELECT id FROM blobs"); err != nil || len(left) != 1 || left[0] != his.String() {
		t.Errorf("%v are left, %v", left, err)
	}
}
