package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"

	"daybook/domain/event"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// A Difference is one way in which read models differ from what the log gives.
type Difference struct {
	Table  string
	Key    string // the row's, its columns separated by commas
	Kind   DifferenceKind
	Column string // of a cell that differs
	Live   any    // what the cell holds
	Log    any    // what it should hold, according to the log
}

// DifferenceKind is what is wrong with a row.
type DifferenceKind string

// The kinds of differences.
const (
	Differs DifferenceKind = "differs"
	Missing DifferenceKind = "missing" // the log gives this row, and it is not there
	Extra   DifferenceKind = "extra"   // the row is there, and the log does not give it
	Damaged DifferenceKind = "damaged" // Key says what cannot be read
)

// String describes the difference in a sentence. It shows no text that the rows hold, which may be personal.
func (d Difference) String() string {
	switch d.Kind {
	case Missing:
		return fmt.Sprintf("%s %s: the row is missing", d.Table, d.Key)
	case Extra:
		return fmt.Sprintf("%s %s: the row should not be there", d.Table, d.Key)
	case Damaged:
		return d.Key
	}
	if _, text := d.Live.(string); text {
		return fmt.Sprintf("%s %s: %s differs", d.Table, d.Key, d.Column)
	}
	return fmt.Sprintf("%s %s: %s is %v and should be %v", d.Table, d.Key, d.Column, d.Live, d.Log)
}

// Verified counts what was compared.
type Verified struct {
	Position    eventstore.Position
	Events      int64
	Rows        int64
	Differences int64
	Unreadable  []error     // events that cannot be decoded, the first ones
	Newer       *NewerError // why the read models end at Position, if the next event is of an unknown type
}

// maxUnreadable is how many unreadable events Verify tells.
const maxUnreadable = 1000

// VerifyOptions are how read models are compared with the log.
type VerifyOptions struct {
	Report   func(Difference) error  // called for each difference; an error stops it
	Progress func(done, total int64) // called now and then, with events
	Quick    bool                    // look at the checkpoints only
}

// Verify compares read models with the log. It projects the log into a temporary database up to their position, and reports each
// row and each cell that differs, in order of tables and keys. It compares the parked streams and each projection's count of
// events too, and tells which events cannot be decoded.
//
// Projecting may continue meanwhile: Verify reads the database as of its start. A stream that was parked and retried later may
// differ where it shares a row with others; see Retry.
func (s Source) Verify(ctx context.Context, db *table.DB, o VerifyOptions) (v Verified, err error) {
	v, err = s.verify(ctx, db, o)
	return v, v.unlessDamaged(o, err)
}

func (s Source) verify(ctx context.Context, db *table.DB, o VerifyOptions) (v Verified, err error) {
	var unreadable unreadable
	s.Decode = unreadable.watch(s.Decode)
	defer func() { v.Unreadable = unreadable.found }()
	l, err := s.ledger()
	if err != nil {
		return v, err
	}
	if !o.Quick {
		anew, failed := db.Anew(ctx)
		if failed != nil {
			return v, failed
		}
		if anew != nil {
			defer func() { err = errors.Join(err, anew.Close()) }()
			db = anew
		}
	}
	g, err := table.ReadGeneration(ctx, db.Readers)
	if err != nil {
		return v, err
	}
	if g.Log != s.Store.ID() {
		return v, s.foreign(db, g)
	}
	if g.Schema != l.schema() {
		return v, fmt.Errorf("%s was projected by another version of the program", db.Path())
	}
	checkpoints, err := table.ReadCheckpoints(ctx, db.Readers)
	if err != nil {
		return v, err
	}
	for _, c := range checkpoints {
		if err := s.fits(ctx, db, c.Point); err != nil {
			return v, err
		}
		v.Position = max(v.Position, c.Position)
	}
	if o.Quick {
		return v, nil
	}
	anew, err := table.OpenTemporary(s.Scratch)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, anew.Close()) }()
	p, err := s.lay(ctx, anew, g)
	if err != nil {
		return v, err
	}
	p.strict = false // what is parked there is parked here too
	f := s.feed(ctx, eventstore.Start)
	defer f.stop()
	if v, err = p.compare(ctx, f, db, o); err != nil {
		return v, err
	}
	next, err := s.after(ctx, v.Position)
	for _, stored := range next {
		_, v.Newer = split([]entry{s.decode(stored)})
	}
	return v, err
}

// unlessDamaged returns an error, or reports it if it means that the read models cannot be compared, or no further.
func (v *Verified) unlessDamaged(o VerifyOptions, err error) error {
	if !table.IsDamage(err) {
		return err
	}
	v.Differences++
	if o.Report == nil {
		return nil
	}
	return o.Report(Difference{Kind: Damaged, Key: table.AsDamage(err).Error()})
}

// unreadable collects the events that cannot be decoded, but for those that a newer version wrote.
type unreadable struct {
	mu    sync.Mutex
	found []error
}

func (u *unreadable) watch(decode func(eventstore.Recorded) (Recorded, error)) func(eventstore.Recorded) (Recorded, error) {
	return func(r eventstore.Recorded) (Recorded, error) {
		e, err := decode(r)
		if err != nil && !errors.Is(err, event.ErrUnknown) {
			u.mu.Lock()
			defer u.mu.Unlock()
			if len(u.found) < maxUnreadable {
				u.found = append(u.found, &UnreadableError{r.Position, r.Stream, err})
			}
		}
		return e, err
	}
}

// An UnreadableError is an event of the log that cannot be decoded.
type UnreadableError struct {
	Position eventstore.Position
	Stream   string
	Cause    error // a *personal.NoKeyError if the vault lacks a key
}

func (e *UnreadableError) Error() string {
	return fmt.Sprintf("the event at position %s of stream %s cannot be read: %v", e.Position, e.Stream, e.Cause)
}

func (e *UnreadableError) Unwrap() error { return e.Cause }

// compare projects a feed up to the position of another generation and reports how that one differs.
func (p *projector) compare(ctx context.Context, f *feed, live *table.DB, o VerifyOptions) (v Verified, err error) {
	snapshot, err := live.Snapshot(ctx)
	if err != nil {
		return v, err
	}
	defer snapshot.Rollback()
	checkpoints, err := table.ReadCheckpoints(ctx, snapshot)
	if err != nil {
		return v, err
	}
	for _, c := range checkpoints {
		v.Position = max(v.Position, c.Position)
	}
	progress := func() {
		if o.Progress != nil {
			o.Progress(p.applied, eventsUpTo(v.Position, p.at.Position, p.applied))
		}
	}
	if err := p.foldTo(ctx, f, v.Position, progress); err != nil {
		return v, err
	}
	v.Events = p.applied
	counted := func(d Difference) error {
		v.Differences++
		if o.Report == nil {
			return nil
		}
		return o.Report(d)
	}
	for _, r := range append(p.ledger.relations(), table.Bookkeeping()...) {
		rows, err := compareTable(ctx, r, snapshot, p.db.Readers, counted)
		v.Rows += rows
		if err != nil {
			return v, fmt.Errorf("comparing %s: %w", r.Name, err)
		}
	}
	return v, nil
}

// compareTable walks two tables side by side in key order, holding one row of each.
func compareTable(ctx context.Context, r *table.Relation, live, log table.Queryer, report func(Difference) error) (rows int64, err error) {
	a, err := openCursor(ctx, r, live)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := openCursor(ctx, r, log)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	for ; a.row != nil || b.row != nil; rows++ {
		order := a.compare(b)
		d := Difference{Table: r.Name}
		switch {
		case order < 0:
			d.Kind, d.Key = Extra, a.key()
			err = report(d)
		case order > 0:
			d.Kind, d.Key = Missing, b.key()
			err = report(d)
		default:
			d.Kind, d.Key = Differs, b.key()
			for i := range r.Columns {
				if a.row[i] == b.row[i] || err != nil {
					continue
				}
				d.Column, d.Live, d.Log = r.Columns[i].Name, a.row[i], b.row[i]
				if r.Columns[i].Kind == table.Bytes {
					err = compareFacts(r, d, report)
				} else {
					err = report(d)
				}
			}
		}
		if err == nil && order <= 0 {
			err = a.next()
		}
		if err == nil && order >= 0 {
			err = b.next()
		}
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// compareFacts reports how the facts of two parts of packs differ.
func compareFacts(r *table.Relation, d Difference, report func(Difference) error) error {
	live, damage := unpacked(r, d.Live)
	log, err := unpacked(r, d.Log)
	if err != nil {
		return err
	}
	if damage != nil {
		return report(Difference{Table: d.Table, Key: r.Damaged(damage).Error(), Kind: Damaged})
	}
	if maps.EqualFunc(live, log, func(a, b any) bool { return reflect.DeepEqual(a, b) }) { // packed in another way
		d.Live, d.Log = factText("packed in another way"), factText("as rebuild packs it")
		return report(d)
	}
	places := make(map[place]bool)
	for at := range live {
		places[at] = true
	}
	for at := range log {
		places[at] = true
	}
	pack := d.Key
	for _, at := range slices.SortedFunc(maps.Keys(places), func(a, b place) int { return slices.Compare(a[:], b[:]) }) {
		d := Difference{Table: d.Table, Key: fmt.Sprintf("%s, fact %d of position %d", pack, at[1], at[0])}
		is, there := live[at]
		want, due := log[at]
		switch {
		case !there:
			d.Kind = Missing
		case !due:
			d.Kind = Extra
		case reflect.DeepEqual(is, want):
			continue
		default:
			d.Kind, d.Column, d.Live, d.Log = Differs, "it", shownFact(is), shownFact(want)
		}
		if err := report(d); err != nil {
			return err
		}
	}
	return nil
}

// A place is a fact's position and number.
type place = [2]int64

// unpacked returns the facts of a part of a pack by their places.
func unpacked(r *table.Relation, part any) (map[place]any, error) {
	data, _ := part.(blob)
	facts, err := r.Unpacked([]byte(data))
	if err != nil {
		return nil, err
	}
	return maps.Collect(facts), nil
}

// factText is a value that a difference shows.
type factText string

// shownFact shows a fact, in which there is nothing personal.
func shownFact(fact any) factText {
	text, err := json.Marshal(fact)
	if err != nil {
		return factText(err.Error())
	}
	return factText(text)
}

// A cursor is at a row of a table, or after the last; then row is nil.
type cursor struct {
	*sqlx.Rows
	relation *table.Relation
	row      []any
}

func openCursor(ctx context.Context, r *table.Relation, q table.Queryer) (*cursor, error) {
	rows, err := table.ReadAll(ctx, q, r)
	if err != nil {
		return nil, err
	}
	c := &cursor{Rows: rows, relation: r}
	if err := c.next(); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	return c, nil
}

func (c *cursor) next() (err error) {
	c.row = nil
	if !c.Next() {
		return c.Err()
	}
	if c.row, err = c.SliceScan(); err != nil {
		return err
	}
	for i, column := range c.relation.Columns {
		switch value := c.row[i].(type) {
		case int64:
			if column.Kind == table.Boolean { // SQLite has no booleans
				c.row[i] = value != 0
			}
		case []byte: // which no column has, unless it is damaged
			c.row[i] = blob(value)
		}
	}
	return nil
}

// blob can be compared.
type blob string

// compare reports which of two cursors is at the lower key: -1 or 1, or 0 for the same key.
func (c *cursor) compare(d *cursor) int {
	switch {
	case c.row == nil:
		return 1
	case d.row == nil:
		return -1
	}
	for _, i := range c.relation.Key {
		if order := compareValues(c.row[i], d.row[i]); order != 0 {
			return order
		}
	}
	return 0
}

// compareValues orders the values of keys as the database does. Of different types, which only damage makes of them, any order will do.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case string:
		if b, same := b.(string); same {
			return strings.Compare(a, b)
		}
	case int64:
		if b, same := b.(int64); same {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, same := b.(float64); same {
			return cmp.Compare(a, b)
		}
	}
	return cmp.Or(strings.Compare(fmt.Sprintf("%T", a), fmt.Sprintf("%T", b)), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
}

func (c *cursor) key() string {
	parts := make([]string, len(c.relation.Key))
	for i, column := range c.relation.Key {
		parts[i] = fmt.Sprint(c.row[column])
	}
	return strings.Join(parts, ",")
}
