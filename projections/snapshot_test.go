package projections_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/domain/role"
	"daybook/domain/ticket"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/snapshot"
	"daybook/internal/testdb"
	"daybook/internal/testlog"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels"
)

// fill gives every part of a value that can be stored a value of its own. It fails for a part that a snapshot would lose.
func fill(t *testing.T, v reflect.Value, path string, n *int) {
	t.Helper()
	*n++
	switch held := v.Addr().Interface().(type) {
	case *personal.Text:
		*held = personal.New(fmt.Sprint("text ", *n))
		return
	case *uuid.UUID:
		*held = uuid.New()
		return
	case *time.Time:
		*held = time.Unix(int64(*n), 0).UTC()
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprint(*n))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n % 100))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 100))
	case reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), path+"[]", n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i), path+"[]", n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, path, n)
		fill(t, value, path, n)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() || f.Anonymous {
				fill(t, v.Field(i), path+"."+f.Name, n)
			} else {
				t.Errorf("%s.%s is not exported: a snapshot would lose it", path, f.Name)
			}
		}
	default:
		t.Errorf("%s: a snapshot cannot hold a %s", path, v.Type())
	}
}

// TestSnapshotsHoldEverything stores the states of all kinds of things and the rows of all read models, with every part of them set.
func TestSnapshotsHoldEverything(t *testing.T) {
	t.Parallel()
	key, err := new(personaltest.Keys).Key(uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	var types []reflect.Type
	for _, kind := range catalogue.Kinds {
		types = append(types, reflect.TypeOf(kind.Nothing))
	}
	for _, row := range []any{
		readmodels.Agent{}, readmodels.Company{}, readmodels.Contact{}, readmodels.Department{}, readmodels.Group{}, readmodels.Operation{}, readmodels.Tag{}, readmodels.Ticket{},
	} {
		types = append(types, reflect.TypeOf(row))
	}
	for _, held := range types {
		n := 0
		full := reflect.New(held)
		fill(t, full.Elem(), held.String(), &n)
		for _, v := range []reflect.Value{full.Elem(), reflect.Zero(held)} {
			box, err := personal.Enclose(key, "here", v.Interface())
			if err != nil {
				t.Errorf("%s: %v", held, err)
				continue
			}
			again := reflect.New(held)
			if err := personal.Disclose(key, "there", box, again.Interface()); err == nil {
				t.Errorf("%s: it was opened as something else", held)
			}
			if err := personal.Disclose(key, "here", box, again.Interface()); err != nil || !reflect.DeepEqual(again.Elem().Interface(), v.Interface()) {
				t.Errorf("%s: %v\n%+v\n%+v", held, err, again.Elem().Interface(), v.Interface())
			}
		}
	}
}

// long is a desk with a ticket that has many events.
type long struct {
	testing.TB
	store  *testlog.Watched
	read   int // events
	keys   *personaltest.Keys
	ticket uuid.UUID
	open   func() *snapshot.Store
	notes  int
}

// of returns what a new process has.
func (l *long) of(snaps *snapshot.Store) (*work.Desk, *engine.Rows) {
	d := testlog.Desk(l.store)
	d.Keys = l.keys
	source := engine.Source{Store: l.store, Projections: projections.All, Version: projections.Version, Decode: engine.DecodeWith(l.keys)}
	if snaps == nil {
		return d, engine.NewRows(source, l.keys, nil)
	}
	d.Snapshots = snaps
	return d, engine.NewRows(source, l.keys, snaps)
}

func (l *long) by(request string) work.By {
	return work.By{
		Actor: event.TheSystem, Principal: event.TheCommandLine, Through: "api", Allowed: role.Owner.Permissions(), Sight: role.Everything,
		At: time.Now(), Request: uuid.NewSHA1(l.ticket, []byte(request)), Digest: "digest of " + request,
	}
}

// note adds a note, and shows the ticket as the API does.
func (l *long) note(d *work.Desk, rows *engine.Rows, request string) work.Answer[ticket.Ticket] {
	l.Helper()
	a, err := work.Do(l.Context(), d, ticket.Stream, l.ticket, commands.AddNote{Body: "Note " + request}, l.by(request))
	if err != nil {
		l.Fatal(err)
	}
	row, err := rows.At(l.Context(), "ticket", l.ticket, a.Revision, a.Written)
	if err != nil || row.Revision != a.Revision {
		l.Fatalf("%+v, %v", row, err)
	}
	return a
}

// noted adds n notes.
func (l *long) noted(d *work.Desk, rows *engine.Rows, n int) {
	l.Helper()
	for range n {
		l.notes++
		if a := l.note(d, rows, fmt.Sprint(l.notes)); int(a.Revision) != l.notes || a.Replayed {
			l.Fatalf("note %d: %+v", l.notes, a)
		}
	}
}

// asWithout checks that a new process with snapshots and one without come to the same, and returns how many events it read.
func (l *long) asWithout(snaps *snapshot.Store) int {
	l.Helper()
	d, rows := l.of(snaps)
	alone, rowsAlone := l.of(nil)
	l.read = 0
	got, err := work.State(l.Context(), d, ticket.Stream, l.ticket)
	if err != nil {
		l.Fatal(err)
	}
	row, err := rows.At(l.Context(), "ticket", l.ticket, got.Revision, nil)
	if err != nil {
		l.Fatal(err)
	}
	read := l.read
	want, err := work.State(l.Context(), alone, ticket.Stream, l.ticket)
	if err != nil || !reflect.DeepEqual(got, want) {
		l.Errorf("%+v, %v, without snapshots\n%+v", got, err, want)
	}
	wantRow, err := rowsAlone.At(l.Context(), "ticket", l.ticket, got.Revision, nil)
	if err != nil || !reflect.DeepEqual(row, wantRow) {
		l.Errorf("%+v, %v, without snapshots\n%+v", row, err, wantRow)
	}
	for _, request := range []string{"1", "150", "700", fmt.Sprint(l.notes)} {
		if a := l.note(d, rows, request); !a.Replayed || fmt.Sprint(a.Revision) != request {
			l.Errorf("note %s again: %+v", request, a)
		}
	}
	return read
}

// differ returns what Verify says.
func (l *long) differ(snaps *snapshot.Store) []string {
	l.Helper()
	d, rows := l.of(snaps)
	var wrong []string
	n, err := snaps.Verify(l.Context(), map[string]snapshot.Prover{work.StatePart: d.ProveSnapshot, engine.RowPart: rows.ProveSnapshot}, func(stream, part string) {
		wrong = append(wrong, part)
	})
	if err != nil || n != 2 {
		l.Errorf("%d snapshots, %v", n, err)
	}
	return wrong
}

// newLong begins a ticket in a log whose clock can be set.
func newLong(t testing.TB, now func() time.Time, open func(keys personal.Keys) *snapshot.Store) *long {
	t.Helper()
	log, err := sqlite.Open(filepath.Join(t.TempDir(), "log.db"), sqlite.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	l := &long{TB: t, keys: &personaltest.Keys{}, ticket: uuid.NewSHA1(uuid.Nil, []byte("ticket"))}
	l.store = &testlog.Watched{Store: log, Got: func(eventstore.Recorded, eventstore.Direction) { l.read++ }}
	l.open = func() *snapshot.Store {
		s := open(l.keys)
		t.Cleanup(func() { s.Close() })
		s.Tell(func(err error) {
			if !strings.Contains(err.Error(), "authentication failed") {
				t.Error(err)
			}
		})
		return s
	}
	d, _ := l.of(nil)
	_, err = work.Carry(t.Context(), d, commands.Inquiry{
		Channel: "email", From: commands.Sender{Email: "nora@customers.example"}, Subject: "Help", Body: "Help",
	}, l.ticket, l.by("open"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// places are where snapshots can be kept, each with a way to change what is stored.
func places(t *testing.T) map[string]struct {
	open func(personal.Keys) *snapshot.Store
	db   func() (*sql.DB, string)
} {
	t.Helper()
	path, address := filepath.Join(t.TempDir(), "snapshots.db"), testdb.URL(t)
	return map[string]struct {
		open func(personal.Keys) *snapshot.Store
		db   func() (*sql.DB, string)
	}{
		"SQLite": {
			func(keys personal.Keys) *snapshot.Store { return snapshot.InFile(path, keys) },
			func() (*sql.DB, string) { db, _ := sql.Open("sqlite", path); return db, "snapshots" },
		},
		"PostgreSQL": {
			func(keys personal.Keys) *snapshot.Store {
				s, err := snapshot.InPostgreSQL(address, keys)
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			func() (*sql.DB, string) { db, _ := sql.Open("postgres", address); return db, "readmodels.snapshots" },
		},
	}
}

// TestALongStreamIsReadFromItsSnapshot has new processes work on a long stream. They come to what they would without snapshots, and read
// little. What is in doubt is read from the log.
func TestALongStreamIsReadFromItsSnapshot(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			l := newLong(t, time.Now, place.open)
			first := l.open()
			d, rows := l.of(first)
			l.noted(d, rows, 2100)
			first.Close()

			snaps := l.open()
			if read := l.asWithout(snaps); read > 500 {
				t.Errorf("%d events were read", read)
			}
			if wrong := l.differ(snaps); wrong != nil {
				t.Errorf("these differ: %v", wrong)
			}

			db, table := place.db()
			defer db.Close()
			change := func(statement string) {
				t.Helper()
				if _, err := db.Exec(fmt.Sprintf(statement, table)); err != nil {
					t.Fatal(err)
				}
			}
			var box []byte
			if err := db.QueryRow("SELECT box FROM " + table + " WHERE part = 'state'").Scan(&box); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(box), "Note") || strings.Contains(string(box), "Help") {
				t.Error("it is not sealed")
			}
			change("UPDATE %s SET box = (SELECT box FROM %[1]s WHERE part = 'row') WHERE part = 'state'")
			if wrong := l.differ(snaps); !slices.Equal(wrong, []string{"state"}) {
				t.Errorf("these differ: %v", wrong)
			}
			if read := l.asWithout(snaps); read < l.notes {
				t.Errorf("%d events were read", read)
			}
			snaps.Close() // it has saved another one
			snaps = l.open()
			if wrong := l.differ(snaps); wrong != nil {
				t.Errorf("these differ: %v", wrong)
			}
			if err := snaps.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			l.asWithout(snaps)
			snaps.Close()

			again := l.open()
			l.keys.Forget(uuid.New())
			if read := l.asWithout(again); read < l.notes {
				t.Errorf("after keys were destroyed, %d events were read", read)
			}
			again.Close()
			if read := l.asWithout(l.open()); read > 500 {
				t.Errorf("%d events were read", read)
			}
			var n int
			if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 2 {
				t.Errorf("%d snapshots are kept, %v", n, err)
			}

			other := newLong(t, time.Now, place.open) // of another log
			d, rows = other.of(nil)
			for range 1100 {
				other.note(d, rows, uuid.NewString())
			}
			d, _ = other.of(other.open())
			other.keys = l.keys
			got, err := work.State(t.Context(), d, ticket.Stream, other.ticket)
			if err != nil || got.Revision != 1100 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestASnapshotOfWhatWasErasedIsNotKept: keys are destroyed while a snapshot waits to be stored.
func TestASnapshotOfWhatWasErasedIsNotKept(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			type thing struct{ Text personal.Text }
			keys := &personaltest.Keys{}
			snaps := place.open(keys)
			snaps.Save(0, "state", "kept", thing{personal.New("before")})
			snaps.Close()
			snaps = place.open(keys)
			var got thing
			if !snaps.Load(t.Context(), "state", "kept", &got) || got.Text.String() != "before" {
				t.Errorf("%+v", got)
			}
			keys.Forget(uuid.New())
			snaps.Save(0, "state", "late", thing{personal.New("erased")})
			snaps.Save(1, "state", "new", thing{personal.New("after")})
			snaps.Close()
			snaps = place.open(keys)
			defer snaps.Close()
			for stream, want := range map[string]bool{"kept": false, "late": false, "new": true} {
				if got := snaps.Load(t.Context(), "state", stream, &thing{}); got != want {
					t.Errorf("%s: %v", stream, got)
				}
			}
			db, table := place.db()
			defer db.Close()
			var n int
			if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != 1 {
				t.Errorf("%d snapshots are kept, %v", n, err)
			}
		})
	}
}

// TestOldRequestsOfALongStream: a snapshot knows the requests of some days. A batch of an import that was tried long before still
// finds what it wrote.
func TestOldRequestsOfALongStream(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "snapshots.db"), time.Now().Add(-30*24*time.Hour)
	l := newLong(t, func() time.Time { return clock }, func(keys personal.Keys) *snapshot.Store { return snapshot.InFile(path, keys) })
	d, rows := l.of(nil)
	l.noted(d, rows, 1100)
	clock = time.Now()
	l.noted(d, rows, 10)
	snaps := l.open()
	d, rows = l.of(snaps)
	l.noted(d, rows, 1)
	snaps.Close()

	snaps = l.open()
	if wrong := l.differ(snaps); wrong != nil {
		t.Errorf("these differ: %v", wrong)
	}
	again := func(since eventstore.Position, request string) (replayed bool, read int) {
		d, _ := l.of(snaps)
		l.read = 0
		by := l.by(request)
		err := d.Play(t.Context(), func(w *work.Work) (func(), error) {
			w.Batch([]uuid.UUID{by.Request}, since)
			w.Turn(by.Request)
			a, err := work.Run(w, ticket.Stream, l.ticket, commands.AddNote{Body: "Note " + request}, by)
			replayed = a.Replayed
			return nil, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return replayed, l.read
	}
	for _, request := range []string{"5", "500", "1105", "1111"} {
		if replayed, _ := again(eventstore.Start, request); !replayed {
			t.Errorf("note %s was added twice", request)
		}
	}
	head, err := l.store.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if replayed, read := again(head-1, "another"); replayed || read > 500 {
		t.Errorf("replayed %v, and read %d events", replayed, read)
	}
}

// TestManyWritersOfALongStream is case 5.5: whoever writes to a long stream together with others reads what is new, and nothing that is
// old, however long it is.
func TestManyWritersOfALongStream(t *testing.T) {
	t.Parallel()
	const each = 10
	l := newLong(t, time.Now, nil)
	d, rows := l.of(nil)
	for _, writers := range []int{2, 8, 16} {
		l.noted(d, rows, 1000)
		var read atomic.Int64
		counting := l.store.Got
		l.store.Got = func(eventstore.Recorded, eventstore.Direction) { read.Add(1) }
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for n := range each {
					l.note(d, rows, fmt.Sprint(writers, " writers: ", w, "/", n))
				}
			})
		}
		all.Wait()
		l.store.Got = counting
		l.notes += writers * each
		if most := int64(writers * each * (writers*each + 1)); read.Load() > most {
			t.Errorf("%d writers of %d notes each read %d events", writers, each, read.Load())
		}
	}
}
