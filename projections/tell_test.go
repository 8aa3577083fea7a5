package projections_test

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/personal/personaltest"
	"daybook/eventstore"
	"daybook/eventstore/sqlite"
	"daybook/internal/testlog"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

var write = flag.Bool("write", false, "write what the stories and the journal fold to, to be read in review")

// A story is the events before an event, and why the event changes nothing, if so.
type story struct {
	before          func(event.Event) past
	noState, noRows string
}

// changesNoState says why an event changes nothing in the state that rules need.
func (s story) changesNoState(why string) story { s.noState = why; return s }

// changesNoRow says why an event changes nothing in the tables, apart from what any event changes there.
func (s story) changesNoRow(why string) story { s.noRows = why; return s }

// TestStories tells the story of each type of event, and compares what the event changes with testdata.
func TestStories(t *testing.T) {
	for _, name := range catalogue.Types() {
		s, told := stories[name]
		if !told {
			t.Errorf("%s has no story. Add one to stories in projections/stories_test.go, run go test ./projections -run Stories -write, and read projections/testdata/%s.txt.", name, name)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told := s.tell(t, name)
			expect(t, name+".txt", told.text)
			because(t, "the state", s.noState, told.inState, "changesNoState", "its apply in domain/"+kindOf(name).Category)
			because(t, "the tables", s.noRows, told.inRows, "changesNoRow", "what a projection makes of it")
		})
	}
	for name := range stories {
		if !slices.Contains(catalogue.Types(), name) {
			t.Errorf("stories in projections/stories_test.go has a story of %q, which no kind in domain/catalogue knows. Add the event to its kind, or remove the story.", name)
		}
	}
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".txt"); stories[name].before == nil {
			t.Errorf("projections/%s belongs to no story. Add the story of %s to stories in projections/stories_test.go, or remove the file.", file, name)
		}
	}
}

// because requires a reason from an event that changes nothing, and from no other.
func because(t *testing.T, what, reason string, changed bool, field, where string) {
	t.Helper()
	switch {
	case !changed && reason == "":
		t.Errorf("it changes nothing in %s. Add to %s, or say why in its story in projections/stories_test.go: .%s(\"…\").", what, where, field)
	case changed && reason != "":
		t.Errorf("it changes something in %s, and its story in projections/stories_test.go says that it does not, for %q. Remove .%s, or look at %s.", what, reason, field, where)
	}
}

// expect compares a text with a file of testdata, or writes it there.
func expect(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *write {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	again := "run go test ./projections -run " + strings.Split(t.Name(), "/")[0] + " -write"
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is no projections/%s: %s, and read the file.", path, again)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("something else comes of it than projections/%s says. If that is meant, %s, and have the difference read in review. - is what the file says, + what comes of it now:\n%s",
			path, again, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")))
	}
}

// telling is a story that was told.
type telling struct {
	text            string
	inState, inRows bool // whether the event changes something there
}

// tell appends a story's past and the stored sample to a log, folds both without and with the sample, and describes the difference.
func (s story) tell(t *testing.T, name string) telling {
	log := newScene(t)
	id, sample := stored(t, name)
	text := &strings.Builder{}
	fmt.Fprintln(text, "before")
	before := s.before(sample)
	for _, h := range before {
		log.append(h, uuid.NewSHA1(uuid.Nil, fmt.Append(nil, log.events)))
		fmt.Fprintln(text, "  "+said(h))
	}
	if len(before) == 0 {
		fmt.Fprintln(text, "  nothing")
	}
	it := happening{things[kindOf(name).Category], sample}
	fmt.Fprintf(text, "event\n  %s\n", said(it))
	stateBefore, rowsBefore := log.state(it), log.rows()
	log.append(it, id)
	stateAfter, rowsAfter := log.state(it), log.rows()

	told := telling{}
	fmt.Fprintln(text, "state")
	told.inState = len(fieldsDiffer(text, "  ", stateBefore, stateAfter)) > 0
	if !told.inState {
		fmt.Fprintln(text, "  nothing")
	}
	fmt.Fprintln(text, "tables")
	told.inRows = rowsDiffer(text, rowsBefore, rowsAfter)
	told.text = byName(text.String(), sample)
	return told
}

// kindOf is the kind whose event has a type.
func kindOf(name string) *event.Noun {
	for _, kind := range catalogue.Kinds {
		if slices.Contains(kind.Types, name) {
			return kind
		}
	}
	panic("no kind has the event " + name)
}

// stored is the stored sample of a type of event, and its id.
func stored(t *testing.T, name string) (uuid.UUID, event.Event) {
	files, err := filepath.Glob("../domain/*/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 {
		t.Fatalf("%s has %d stored samples: domain/catalogue/catalogue_test.go says how to make one", name, len(files))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var sample struct {
		Stream string          `json:"stream"`
		ID     uuid.UUID       `json:"id"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &sample); err != nil {
		t.Fatal(err)
	}
	e, err := catalogue.Decode(personal.Place{Stream: sample.Stream, Type: name, Event: sample.ID}, sample.Data, &personaltest.Keys{})
	if err != nil {
		t.Fatal(err)
	}
	return sample.ID, e
}

// said is an event in one line.
func said(h happening) string {
	fields := maps.Collect(event.Fields(h.event))
	line := h.event.EventType() + " " + h.thing.String()
	if len(fields) > 0 {
		text, err := json.Marshal(fields) // sorted
		if err != nil {
			panic(err)
		}
		line += " " + string(text)
	}
	return line
}

// byName replaces the ids of the stories' entities, and of those that the sample creates, by names.
func byName(text string, sample event.Event) string {
	var pairs []string
	for id, name := range names {
		pairs = append(pairs, id.String(), name)
	}
	for name, value := range event.Fields(sample) {
		if id, ok := value.(uuid.UUID); ok {
			pairs = append(pairs, id.String(), "its-"+name)
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// A scene is a log in memory with fixed clocks, so that every run is the same.
type scene struct {
	t      *testing.T
	store  *sqlite.Store
	keys   personal.Keys
	source engine.Source
	events int
}

func newScene(t *testing.T) *scene {
	store := testlog.Memory(t)
	s := &scene{t: t, store: store, keys: &personaltest.Keys{}}
	decode := engine.DecodeWith(s.keys)
	s.source = engine.Source{Store: store, Projections: projections.All, Version: projections.Version, Decode: func(r eventstore.Recorded) (engine.Recorded, error) {
		r.RecordedAt = clock(int(r.Position)).Add(time.Second)
		return decode(r)
	}}
	return s
}

// clock is the time of the nth event.
func clock(n int) time.Time { return time.Date(2026, 1, 5, 10, n, 0, 0, time.UTC) }

// append appends an event.
func (s *scene) append(h happening, id uuid.UUID) {
	s.t.Helper()
	s.events++
	kind := kindOf(h.event.EventType())
	state, revision := s.fold(kind, h.thing)
	subject := kind.Subject(kind.Apply(state, h.event), h.thing, h.event)
	at := personal.Place{Stream: kind.Stream(h.thing), Type: h.event.EventType(), Event: id}
	data, err := event.Encode(h.event, at, subject, s.keys)
	if err != nil {
		s.t.Fatal(err)
	}
	meta, err := event.EncodeMetadata(event.Metadata{
		At: clock(s.events), Actor: event.Actor{Kind: event.Agent, ID: ann}, Principal: event.TheCommandLine, Through: "api", Reason: text("as agreed"), Correlation: "a conversation",
	}, at, subject, s.keys)
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = eventstore.AppendTo(s.t.Context(), s.store, kind.Stream(h.thing), revision, []eventstore.Event{{ID: id, Type: h.event.EventType(), Data: data, Meta: meta}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// fold returns the state of an entity, and the revision of its stream.
func (s *scene) fold(kind *event.Noun, id uuid.UUID) (any, eventstore.Revision) {
	state, revision := kind.Nothing, eventstore.NoStream
	for r, err := range s.store.Read(s.t.Context(), kind.Stream(id), 0, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			break
		}
		if err != nil {
			s.t.Fatal(err)
		}
		e, err := kind.Decode(personal.Place{Stream: r.Stream, Type: r.Type, Event: r.ID}, r.Data, s.keys)
		if err != nil {
			s.t.Fatal(err)
		}
		state, revision = kind.Apply(state, e), r.Revision
	}
	return state, revision
}

// state is the state of the entity that an event happens to, field by field.
func (s *scene) state(h happening) fields {
	state, _ := s.fold(kindOf(h.event.EventType()), h.thing)
	var all fields
	all.add(reflect.ValueOf(state))
	return all
}

// rows is all rows that the log gives.
func (s *scene) rows() []row { return fold(s.t, s.source) }

// fields are named values as they are shown, in order.
type fields []shownField

type shownField struct{ name, value string }

// add adds the fields of a struct, with those of embedded structs as its own.
func (f *fields) add(v reflect.Value) {
	for i := range v.NumField() {
		switch about := v.Type().Field(i); {
		case about.Anonymous:
			f.add(v.Field(i))
		case about.IsExported():
			*f = append(*f, shownField{about.Name, shown(v.Field(i))})
		}
	}
}

func (f fields) get(name string) string {
	for _, g := range f {
		if g.name == name {
			return g.value
		}
	}
	return ""
}

// shown is a value of a state as it is shown.
func shown(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case personal.Text:
		return strconv.Quote(value.String())
	case uuid.UUID:
		if value == uuid.Nil {
			return "none"
		}
		return value.String()
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, shown(v.Index(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case reflect.Map:
		var items []string
		for _, key := range v.MapKeys() {
			items = append(items, shown(key)+": "+shown(v.MapIndex(key)))
		}
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	case reflect.Struct:
		var inner fields
		inner.add(v)
		var items []string
		for _, f := range inner {
			items = append(items, f.name+": "+f.value)
		}
		return "{" + strings.Join(items, ", ") + "}"
	}
	return fmt.Sprint(v.Interface())
}

// fieldsDiffer writes which fields have changed, and returns their names.
func fieldsDiffer(text *strings.Builder, indent string, before, after fields) (names []string) {
	for _, f := range after {
		if was := before.get(f.name); was != f.value {
			fmt.Fprintf(text, "%s%s: %s -> %s\n", indent, f.name, was, f.value)
			names = append(names, f.name)
		}
	}
	return names
}

// A row is a row of any table.
type row struct {
	table, key string
	columns    fields
}

func (r row) name() string { return r.table + " " + r.key }

// Every event of an entity changes these. That they change does not show that a projection knows the event.
var (
	listsAll  = []string{"event_trail", "contact_timeline"}
	movesEach = []string{"revision", "changed_at", "position"}
)

// rowsDiffer writes how rows differ, and reports whether the event changed more in them than any event does.
func rowsDiffer(text *strings.Builder, before, after []row) (own bool) {
	was := make(map[string]row)
	for _, r := range before {
		was[r.name()] = r
	}
	begin := text.Len()
	for _, r := range after {
		old, known := was[r.name()]
		delete(was, r.name())
		if !known {
			fmt.Fprintf(text, "  %s + %s\n", r.table, r.key)
			for _, c := range r.columns {
				if !c.empty() {
					fmt.Fprintf(text, "    %s: %s\n", c.name, c.value)
				}
			}
			own = own || !slices.Contains(listsAll, r.table)
			continue
		}
		columns := &strings.Builder{}
		changed := fieldsDiffer(columns, "    ", old.columns, r.columns)
		if len(changed) > 0 {
			fmt.Fprintf(text, "  %s %s\n%s", r.table, r.key, columns)
		}
		own = own || slices.ContainsFunc(changed, func(c string) bool { return !slices.Contains(movesEach, c) })
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		fmt.Fprintf(text, "  %s - %s\n", was[name].table, was[name].key)
		own = true
	}
	if text.Len() == begin {
		fmt.Fprintln(text, "  nothing")
	}
	return own
}

// empty reports whether a column holds nothing.
func (f shownField) empty() bool {
	return slices.Contains([]string{`""`, "0", "none", "false", "[]"}, f.value)
}

// fold is the rows of all tables for a log, ordered by table and key.
func fold(t *testing.T, source engine.Source) (all []row) {
	t.Helper()
	db, err := table.OpenTemporary(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := source.Fill(t.Context(), engine.Cut{}, db); err != nil {
		t.Fatal(err)
	}
	var tables []string
	const ours = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('generation', 'checkpoints', 'parked') ORDER BY name`
	if err := db.Readers.SelectContext(t.Context(), &tables, ours); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		all = append(all, readTable(t, db, name)...)
	}
	return all
}

func readTable(t *testing.T, db *table.DB, name string) (all []row) {
	t.Helper()
	var keys []string
	if err := db.Readers.SelectContext(t.Context(), &keys, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, name); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Readers.QueryxContext(t.Context(), fmt.Sprintf(`SELECT * FROM %q ORDER BY %s`, name, strings.Join(keys, ", ")))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, err := rows.SliceScan()
		if err != nil {
			t.Fatal(err)
		}
		if packed := packs[name]; packed != nil {
			all = append(all, unpack(t, packed, values)...)
			continue
		}
		r := row{table: name}
		var key []string
		for i, column := range columns {
			if slices.Contains(keys, column) {
				key = append(key, fmt.Sprint(values[i]))
				continue
			}
			r.columns = append(r.columns, shownField{column, held(values[i])})
		}
		r.key = strings.Join(key, "/")
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// packs are the tables of packed facts.
var packs = func() map[string]*table.Relation {
	all := map[string]*table.Relation{}
	for _, spec := range []table.Table{report.ActivityTable, report.PostedTable, report.SpansTable} {
		r, err := table.Relate(spec)
		if err != nil {
			panic(err)
		}
		all[spec.Name] = r
	}
	return all
}()

// unpack shows each fact of a pack as a row.
func unpack(t *testing.T, r *table.Relation, values []any) (all []row) {
	t.Helper()
	n := len(r.Key)
	part, _ := values[n].([]byte)
	facts, err := r.Unpacked(part)
	if err != nil {
		t.Fatal(err)
	}
	for place, fact := range facts {
		shown := row{table: r.Name, key: fmt.Sprintf("%d/%d", place[0], place[1])}
		for i, value := range values[:n-1] {
			shown.columns = append(shown.columns, shownField{r.Columns[i].Name, held(value)})
		}
		v := reflect.ValueOf(fact).Elem()
		for _, f := range reflect.VisibleFields(v.Type()) {
			if f.Anonymous {
				continue
			}
			shown.columns = append(shown.columns, shownField{strings.ToLower(f.Name), factField(v.FieldByIndex(f.Index).Interface())})
		}
		all = append(all, shown)
	}
	return all
}

// factField is a field of a fact as it is shown.
func factField(value any) string {
	switch v := value.(type) {
	case driver.Valuer:
		stored, err := v.Value()
		if err != nil {
			return err.Error()
		}
		return held(stored)
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return err.Error()
		}
		return held(string(text))
	case bool:
		return fmt.Sprint(v)
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return held(v.String())
	}
	return held(value)
}

// anInstant is larger than any count in these tables: instants are in microseconds since 1970.
const anInstant = 1e15

// held is a value of a column as it is shown. Ids and lists are shown as they are, other texts in quotes.
func held(value any) string {
	switch v := value.(type) {
	case nil:
		return "none"
	case string:
		if _, err := uuid.Parse(v); err == nil || strings.HasPrefix(v, "[") {
			return v
		}
		return strconv.Quote(v)
	case int64:
		if v > anInstant {
			return time.UnixMicro(v).UTC().Format("2006-01-02 15:04:05")
		}
	}
	return fmt.Sprint(value)
}
