package vault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/role"
	"daybook/internal/testdisk"
	"daybook/vault"
)

// A content is what a vault holds.
type content struct {
	name      uuid.UUID // a hash
	texts     map[uuid.UUID][]byte
	destroyed []uuid.UUID
	tokens    map[string]vault.APIKey
	revoked   []string // tokens
	keys      []vault.APIKey
	outcomes  map[uuid.UUID]vault.Outcome
	noted     vault.Noted
	lost      []uuid.UUID
	// older says that what was done last may be undone: the write-ahead log of a process that was killed is damaged. A key that was
	// made may be missing then, and a revoked one valid, but none that was destroyed is back.
	older bool
	// open says that the vault was open: a row that cannot be found any more is as one that was never there.
	open bool
}

func nothing() content {
	return content{texts: make(map[uuid.UUID][]byte), tokens: make(map[string]vault.APIKey), outcomes: make(map[uuid.UUID]vault.Outcome)}
}

// fill has a vault hold more of everything.
func (c *content) fill(t testing.TB, v *vault.Vault) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c.name = v.Hash("name", "Nora")
	people := make([]uuid.UUID, 75)
	for i := range people {
		people[i] = uuid.New()
	}
	must(v.Make(t.Context(), people...))
	lost := uuid.New()
	must(v.Destroy(t.Context(), people[:10]...))
	must(v.GiveUp(t.Context(), lost))
	c.lost = append(c.lost, lost)
	slices.SortFunc(c.lost, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	c.destroyed = append(append(c.destroyed, people[:10]...), lost)
	for _, p := range people[10:] {
		key, err := v.Key(p)
		must(err)
		c.texts[p] = key.Seal(nil, nil, []byte(p.String()), nil)
	}
	for i := range 6 {
		made, token, err := v.NewAPIKey(t.Context(), fmt.Sprint("panel ", i), role.Auditor, uuid.Nil, now)
		must(err)
		must(v.RecordedAPIKey(t.Context(), made.ID, 1-i%2))
		if i < 2 {
			must(v.RevokeAPIKey(t.Context(), made.ID, now))
			c.revoked = append(c.revoked, token)
			continue
		}
		made.Recorded, made.Name = 1-i%2, ""
		c.tokens[token] = made
	}
	for i := range 60 {
		request := uuid.New()
		o := vault.Outcome{Digest: uuid.NewString(), Stream: "ticket-" + uuid.NewString(), Revision: int64(i), RestsOn: vault.Event{Stream: "agent-1", Revision: 3, ID: uuid.New()}}
		if i%3 == 0 {
			o.Refusal = domain.Conflict("closed", "The ticket is closed.")
		}
		kept := make(chan error, 1)
		v.KeepOutcome(t.Context(), request, o, now, true, func(err error) { kept <- err })
		must(<-kept)
		c.outcomes[request] = o
	}
	must(v.Note(t.Context(), uuid.New(), 4711, vault.Event{Stream: "ticket-1", Revision: 7, ID: uuid.New()}))
	var err error
	c.noted, err = v.Noted(t.Context())
	must(err)
	c.keys, err = v.APIKeys(t.Context())
	must(err)
}

// answers asks a vault everything, and changes it. Each answer is as the content says, or is an error, which it returns.
func (c content) answers(t testing.TB, v *vault.Vault) (refused []error) {
	t.Helper()
	fails := func(err error) bool {
		if err != nil {
			refused = append(refused, err)
		}
		return err != nil
	}
	if v.Hash("name", "Nora") != c.name {
		t.Error("names are hashed with another key")
	}
	for subject, text := range c.texts {
		key, err := v.Key(subject)
		if errors.Is(err, personal.ErrForgotten) {
			t.Errorf("%s is taken for forgotten", subject)
		}
		if fails(err) {
			continue
		}
		if plain, err := key.Open(nil, nil, text, nil); err != nil || string(plain) != subject.String() {
			t.Errorf("the key of %s is another: %v", subject, err)
		}
	}
	for _, subject := range c.destroyed {
		if _, err := v.Key(subject); err == nil {
			t.Errorf("the destroyed key of %s is back", subject)
		} else if !errors.Is(err, personal.ErrForgotten) {
			fails(err)
		}
	}
	var none *personal.NoKeyError
	if _, err := v.Key(uuid.New()); !errors.As(err, &none) {
		fails(err)
	}
	for token, want := range c.tokens {
		got, err := v.Authenticate(t.Context(), token)
		if c.older {
			got.Recorded = want.Recorded
		}
		if !fails(err) && got != want {
			t.Errorf("a token is that of %+v, not %+v", got, want)
		}
	}
	for _, token := range c.revoked {
		if _, err := v.Authenticate(t.Context(), token); err == nil && !c.older {
			t.Error("a revoked token is valid")
		}
	}
	if got, err := v.APIKeys(t.Context()); !fails(err) {
		altered := slices.ContainsFunc(got, func(k vault.APIKey) bool { return k.Altered })
		if altered {
			fails(vault.ErrAltered)
		}
		if !altered && !c.older && !c.open && !cmp.Equal(got, c.keys) {
			t.Errorf("the keys are listed as %+v", got)
		}
	}
	for request, want := range c.outcomes {
		got, err := v.Outcome(t.Context(), request)
		if fails(err) {
			continue
		}
		if got == nil && !c.older && !c.open || got != nil && !cmp.Equal(*got, want) {
			t.Errorf("the outcome is %+v, not %+v", got, want)
		}
	}
	if got, err := v.Noted(t.Context()); !fails(err) && got != c.noted && !c.older {
		t.Errorf("it belongs to %+v, not %+v", got, c.noted)
	}
	if got, err := v.Lost(t.Context()); !fails(err) && !slices.Equal(got, c.lost) && !c.open {
		t.Errorf("lost are %v, not %v", got, c.lost)
	}
	return append(refused, c.changes(t, v)...)
}

// changes changes a vault. What it changes is changed, or is refused.
func (c content) changes(t testing.TB, v *vault.Vault) (refused []error) {
	t.Helper()
	fails := func(err error) bool {
		if err != nil {
			refused = append(refused, err)
		}
		return err != nil
	}
	made := uuid.New()
	if !fails(v.Make(t.Context(), made)) {
		_, err := v.Key(made)
		fails(err)
	}
	for request, o := range c.outcomes {
		other := o
		other.Digest = "another"
		kept := make(chan error, 1)
		v.KeepOutcome(t.Context(), request, other, now, true, func(err error) { kept <- err })
		if err := <-kept; !errors.Is(err, vault.ErrKeyReused) && !fails(err) && !c.older && !c.open {
			t.Error("a request with the key of another one is kept")
		}
		break
	}
	for token, key := range c.tokens {
		if fails(v.RevokeAPIKey(t.Context(), key.ID, now)) {
			break
		}
		if _, err := v.Authenticate(t.Context(), token); err == nil {
			t.Error("a token is valid after it was revoked")
		}
		break
	}
	if n := c.noted; !fails(v.Note(t.Context(), n.Log, n.At+1, n.Event)) {
		n.At++
		if got, err := v.Noted(t.Context()); !fails(err) && got != n {
			t.Errorf("it noted %+v", got)
		}
	}
	return refused
}

// sayWhatToDo: each refusal does.
func sayWhatToDo(t testing.TB, refused []error) {
	t.Helper()
	for _, err := range refused {
		if !slices.ContainsFunc([]string{"put back", "Put the newer vault back", "grants nothing", "is unknown, or was revoked", "is needed too. Add it there", "There is no such API key."}, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			t.Errorf("it does not say what to do: %v", err)
		}
	}
}

// copyOf copies the files of a vault into a folder of its own.
func copyOf(t testing.TB, folder string) place {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"vault.db", "vault.db-wal", "vault.key"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return inFile(to)
}

// TestFlippedBits flips one bit after another in a vault: closed; as a killed process left it, with a write-ahead log; and open. Each
// flip is refused by what meets it, or nothing comes of it.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	var killed string
	holds := nothing()
	for range 2 {
		v := mustOpen(t, inFile(closed))
		holds.fill(t, v)
		killed = filepath.Dir(copyOf(t, closed).database)
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, from, file string
		older, open      bool
	}{
		{"closed", closed, "vault.db", false, false},
		{"killed", killed, "vault.db", false, false},
		{"killed", killed, "vault.db-wal", true, false},
		{"open", closed, "vault.db", false, true},
		{"open", killed, "vault.db-wal", false, true},
	} {
		noticed, holds := 0, holds
		holds.older, holds.open = test.older, test.open
		for n := range testdisk.Flips() {
			bit := testdisk.Bit(t, filepath.Join(test.from, test.file), n)
			t.Run(fmt.Sprint(test.name, "/", test.file, "/", bit), func(t *testing.T) {
				p := copyOf(t, test.from)
				path := filepath.Join(filepath.Dir(p.database), test.file)
				var refused []error
				if test.open {
					before, beside := mustOpen(t, p), mustOpen(t, p)
					testdisk.Flip(t, path, bit)
					if err := beside.Make(t.Context(), uuid.New()); err != nil { // a change by another process: what was read is read again
						refused = append(refused, err)
					}
					refused = append(refused, holds.answers(t, before)...)
				} else {
					testdisk.Flip(t, path, bit)
				}
				v, err := vault.OpenAt(t.Context(), p.database, vault.MasterFile(p.key))
				if err != nil {
					refused = append(refused, err)
				} else {
					if !test.open {
						refused = append(refused, holds.answers(t, v)...)
					}
					v.Close()
				}
				if len(refused) > 0 {
					noticed++
				}
				sayWhatToDo(t, refused)
			})
		}
		t.Logf("%s, %s: of %d flips %d were noticed", test.name, test.file, testdisk.Flips(), noticed)
		if noticed < testdisk.Flips()/10 && test.file == "vault.db" && test.from == closed {
			t.Errorf("%s, %s: of %d flips %d were noticed", test.name, test.file, testdisk.Flips(), noticed)
		}
	}
}

// testDamaged changes a vault in each way in which it can be wrong and well-formed.
func testDamaged(t *testing.T, newPlace func(*testing.T) place) {
	p, holds := newPlace(t), nothing()
	v := mustOpen(t, p)
	holds.fill(t, v)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	db := p.sql(t)
	for name, script := range map[string]struct{ damage, undo string }{
		"a live key is empty":             {"UPDATE persons SET wrapped = substr(wrapped, 1, 0)", ""},
		"two keys are exchanged":          {"UPDATE persons SET wrapped = (SELECT was.wrapped FROM was_persons was ORDER BY was.subject LIMIT 1)", ""},
		"keys are gone":                   {"DELETE FROM persons", ""},
		"an API key is recorded":          {"UPDATE api_keys SET recorded = 1 - recorded", ""},
		"an API key has another name":     {"UPDATE api_keys SET name = mac", ""},
		"API keys are those of others":    {"UPDATE api_keys SET id = substr(id, 2)", ""},
		"outcomes are other":              {"UPDATE outcomes SET refused = NOT refused", ""},
		"digests are other":               {"UPDATE outcomes SET digest = 'another'", ""},
		"outcomes are a success":          {"UPDATE outcomes SET outcome = '{}'", ""},
		"it belongs to another place":     {"UPDATE noted SET position = position + 1", ""},
		"it belongs to another log":       {"UPDATE noted SET log = event", ""},
		"it belongs to no log":            {"DELETE FROM noted", ""},
		"another key is lost":             {"UPDATE lost SET subject = '11111111-1111-4111-8111-111111111111'", ""},
		"secrets are gone":                {"DELETE FROM secrets", ""},
		"the key of names is gone":        {"DELETE FROM secrets WHERE name = 'names'", ""},
		"the key of names is another":     {"UPDATE secrets SET value = (SELECT wrapped FROM persons ORDER BY subject LIMIT 1) WHERE name = 'names'", ""},
		"the format is an older one":      {"DELETE FROM secrets WHERE name = 'format'", ""},
		"the format is a newer one":       {"UPDATE secrets SET value = substr(value, 1, 0) WHERE name = 'format'", ""},
		"the master key is gone":          {"DELETE FROM secrets WHERE name = 'master'", ""},
		"the count is gone":               {"DELETE FROM destructions", "INSERT INTO destructions (one, n) VALUES (1, 9)"},
		"the master key is another":       {"UPDATE secrets SET value = substr(value, 2) WHERE name = 'master'", ""},
		"the table of secrets is another": {"ALTER TABLE secrets RENAME TO secret", "ALTER TABLE secret RENAME TO secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			tables := []string{"secrets", "persons", "api_keys", "outcomes", "noted", "lost"}
			for _, table := range tables {
				db.MustExec(fmt.Sprintf("CREATE TABLE was_%s AS SELECT * FROM %[1]s", table))
			}
			db.MustExec(script.damage)
			var refused []error
			v, err := vault.OpenAt(t.Context(), p.database, vault.MasterFile(p.key))
			if err != nil {
				refused = []error{err}
			} else {
				refused = holds.answers(t, v)
				v.Close()
			}
			if len(refused) == 0 {
				t.Error("it is not noticed")
			}
			if !vault.InPostgreSQL(p.database) || script.undo == "" {
				sayWhatToDo(t, refused)
			}
			if script.undo != "" {
				db.MustExec(script.undo)
			}
			for _, table := range tables {
				db.MustExec(fmt.Sprintf("DELETE FROM %s; INSERT INTO %[1]s SELECT * FROM was_%[1]s; DROP TABLE was_%[1]s", table))
			}
		})
	}
	v = mustOpen(t, p)
	if refused := holds.answers(t, v); len(refused) > 0 {
		t.Errorf("put back as it was: %v", refused[0])
	}
}
