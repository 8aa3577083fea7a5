package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"daybook/eventstore"
)

// lookupSchema is the schema of the index of revisions, a second file that is attached to the log under the name lookup.
//
//go:embed lookup.sql
var lookupSchema string

// An entry is what the index says of an event.
type entry struct {
	stream   int64
	revision eventstore.Revision
	position eventstore.Position
	id       uuid.UUID
	name     string // of the stream, with its first event
}

const (
	entriesAtOnce = 64      // written by one statement
	entriesKept   = 1 << 18 // of a gap in the index that are read into memory at a time
)

// indexSuffix is added to the log's name.
const indexSuffix = ".index"

// errIndex means that the index does not say what the log does. It can be made anew.
var errIndex = errors.New("the index of the log is wrong")

// blamesIndex reports whether the index may be what an error is about.
func blamesIndex(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, errIndex) || errors.As(err, &e) && slices.Contains([]int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}, e.Code()&0xff)
}

// attach opens the index, if it is intact and belongs to this log. It may belong to what the log was before a restore.
func (c *conn) attach(at source) error {
	if err := c.attachFile(at); err != nil {
		return err
	}
	if tables, err := c.tables("lookup"); err != nil || tables != schemas().index {
		return errors.Join(errIndex, err)
	}
	var covered int64
	var event []byte
	whole := false
	err := c.ask("SELECT log, position, event, checksum FROM lookup.covered", func(row []driver.Value) bool {
		log, _ := row[0].(string)
		covered, _ = row[1].(int64)
		event, _ = row[2].([]byte)
		sum, _ := row[3].(int64)
		whole = log == c.log.String() && sum == c.checksum([]int64{covered}, event)
		return false
	})
	switch {
	case err != nil:
		return err
	case !whole:
		return errIndex
	case covered == 0:
		return nil
	}
	return c.agrees(eventstore.Position(covered), event)
}

// agrees returns errIndex unless the log has an event with an id at a position.
func (c *conn) agrees(at eventstore.Position, id []byte) error {
	found := errIndex
	var damaged error
	err := c.ask(fmt.Sprintf("SELECT last, recorded_at, heads, bodies, checksum FROM log WHERE last >= %d ORDER BY last LIMIT 1", at), func(row []driver.Value) bool {
		_, damaged = c.unpack(row, eventstore.Forwards, func(it item) (bool, error) {
			if e := it.event(); e.Position == at && bytes.Equal(e.ID[:], id) {
				found = nil
			}
			return true, nil
		})
		return false
	})
	return cmp.Or(err, damaged, found)
}

// renew attaches an empty index instead of one that attach refused.
func (c *conn) renew(at source) error {
	c.run("DETACH lookup") // fails if it was not attached
	if err := at.removeIndex(); err != nil {
		return err
	}
	if err := c.attachFile(at); err != nil {
		return err
	}
	covered := fmt.Sprintf("INSERT INTO covered (one, log, position, event, checksum) VALUES (1, '%s', 0, x'', %d);", c.log, c.checksum([]int64{0}, nil))
	first := ringed{hash: hash{}, next: lastHash}
	ring := fmt.Sprintf("INSERT INTO names (hash, next, stream, checksum) VALUES (x'%x', x'%x', 0, %d);", first.hash, first.next, first.checksum(c))
	return c.run("BEGIN;" + lookupSchema + covered + ring + "COMMIT;")
}

func (c *conn) attachFile(at source) error {
	return c.run("ATTACH '" + strings.ReplaceAll(at.uri(indexSuffix), "'", "''") + "' AS lookup")
}

func (at source) removeIndex() error {
	if at.path == "" {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(at.path + indexSuffix + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// A hash stands for a stream's name in the index.
type hash [16]byte

// lastHash comes after the hashes of all names.
var lastHash = hash(bytes.Repeat([]byte{0xff}, len(hash{})))

func hashOf(name string) hash {
	sum := sha256.Sum256([]byte(name))
	return hash(sum[:len(hash{})])
}

// A ringed is a row of the ring of names.
type ringed struct {
	hash, next hash
	stream     int64
}

func (r ringed) checksum(c *conn) int64 { return c.checksum([]int64{r.stream}, r.hash[:], r.next[:]) }

// ring reads a row of the ring that a query for the row at or before a hash has returned.
func (c *conn) ring(row []driver.Value, want hash) (ringed, error) {
	at, _ := row[0].([]byte)
	next, _ := row[1].([]byte)
	if len(at) != len(hash{}) || len(next) != len(hash{}) {
		return ringed{}, errIndex
	}
	r := ringed{hash: hash(at), next: hash(next)}
	r.stream, _ = row[2].(int64)
	if sum, whole := row[3].(int64); !whole || sum != r.checksum(c) || r.hash != want && bytes.Compare(want[:], r.next[:]) >= 0 {
		return ringed{}, errIndex
	}
	return r, nil
}

// find looks up a stream's place in the index. A stream that is not there has number 0, which the ring proves.
func (c *conn) find(stream string) (place, error) {
	want := hashOf(stream)
	p := place{revision: eventstore.NoStream}
	wrong := errIndex
	err := c.stream.each(func(row []driver.Value) bool {
		var r ringed
		if r, wrong = c.ring(row, want); wrong != nil || r.hash != want {
			return false
		}
		revision, known := row[4].(int64)
		sum, whole := row[5].(int64)
		if !known || !whole || sum != c.checksum([]int64{r.stream, revision}) {
			wrong = errIndex
			return false
		}
		p = place{r.stream, eventstore.Revision(revision)}
		return false
	}, want[:])
	return p, cmp.Or(err, wrong)
}

// completeFromLog adds to the index the events of the log that it lacks. It refuses a log that has a gap.
func (c *conn) completeFromLog() error {
	for {
		missing, err := c.readUnindexed()
		if err != nil || len(missing) == 0 {
			return err
		}
		if err := c.complete(missing); err != nil {
			return err
		}
	}
}

// readUnindexed reads from the log the first events that the index lacks, up to the end of a pack.
func (c *conn) readUnindexed() (missing []entry, err error) {
	covered, err := c.number("SELECT position FROM covered")
	if err != nil {
		return nil, err
	}
	want := eventstore.Position(covered)
	var damaged error
	err = c.unindexed.each(func(row []driver.Value) (more bool) {
		more, damaged = c.unpack(row, eventstore.Forwards, func(it item) (bool, error) {
			if want++; it.position != want {
				return false, missingAt(want)
			}
			e := entry{it.stream, it.revision, it.position, it.event().ID, ""}
			if it.revision == 0 {
				e.name = it.name()
			}
			missing = append(missing, e)
			return true, nil
		})
		return more && len(missing) < entriesKept
	})
	return missing, errors.Join(err, damaged)
}

// missingAt is the damage of a log that has later events, but none at a position.
func missingAt(p eventstore.Position) *eventstore.DamageError {
	return &eventstore.DamageError{Position: p, What: "the event there is missing"}
}

// complete adds the next events to the index, in the index's order.
func (c *conn) complete(next []entry) error {
	last := next[len(next)-1]
	next = slices.SortedFunc(slices.Values(next), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.revision, b.revision))
	})
	return c.atomically(func() error {
		revisions, ends := c.rows(c.index, c.indexMany), c.rows(c.endOf, c.endMany)
		var founded []ringed
		for i, e := range next {
			if err := revisions.add(e.stream, int64(e.revision), int64(e.position)); err != nil {
				return err
			}
			if e.revision == 0 {
				founded = append(founded, ringed{hash: hashOf(e.name), stream: e.stream})
			}
			if i == len(next)-1 || next[i+1].stream != e.stream {
				if err := ends.add(e.stream, int64(e.revision), c.checksum([]int64{e.stream, int64(e.revision)})); err != nil {
					return err
				}
			}
		}
		if err := errors.Join(revisions.flush(), ends.flush(), c.addNames(founded)); err != nil {
			return err
		}
		_, err := c.cover.exec(int64(last.position), last.id[:], c.checksum([]int64{int64(last.position)}, last.id[:]))
		return err
	})
}

// addNames adds the names of new streams to the ring.
func (c *conn) addNames(founded []ringed) error {
	slices.SortFunc(founded, func(a, b ringed) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	var at *ringed // the row before those still to be added, which is not written yet
	for _, r := range founded {
		if at == nil || bytes.Compare(r.hash[:], at.next[:]) >= 0 {
			if err := c.putRinged(at); err != nil {
				return err
			}
			before, err := c.before(r.hash)
			if err != nil {
				return err
			}
			at = &before
		}
		if r.hash == at.hash { // the index was made anew, and has it
			continue
		}
		r.next, at.next = at.next, r.hash
		if err := c.putRinged(at); err != nil {
			return err
		}
		at = &r
	}
	return c.putRinged(at)
}

// before reads the row of the ring at or before a hash.
func (c *conn) before(h hash) (r ringed, err error) {
	wrong := errIndex
	err = c.name.each(func(row []driver.Value) bool {
		r, wrong = c.ring(row, h)
		return false
	}, h[:])
	return r, cmp.Or(err, wrong)
}

func (c *conn) putRinged(r *ringed) error {
	if r == nil {
		return nil
	}
	_, err := c.putName.exec(r.hash[:], r.next[:], r.stream, r.checksum(c))
	return err
}

// rows collects rows of three numbers for statements that write one, or many.
type rows struct {
	one, many stmt
	args      []driver.Value
}

func (c *conn) rows(one, many stmt) *rows {
	return &rows{one, many, make([]driver.Value, 0, 3*entriesAtOnce)}
}

func (r *rows) add(a, b, c int64) error {
	r.args = append(r.args, a, b, c)
	if len(r.args) < cap(r.args) {
		return nil
	}
	_, err := r.many.exec(r.args...)
	r.args = r.args[:0]
	return err
}

func (r *rows) flush() error {
	for row := range slices.Chunk(r.args, 3) {
		if _, err := r.one.exec(row...); err != nil {
			return err
		}
	}
	return nil
}

// looseEvents is how many events the index may lack before the writer hands them over to be indexed. It may lack as many again before
// that is done; then the writer waits. Tests change it.
var looseEvents = 8192

const looseBytes = 8 << 20

// An indexer writes the index beside the writer, whose goroutine owns it.
type indexer struct {
	store  *Store
	loose  []entry // not yet indexed
	bytes  int     // of these events
	handed []entry // older ones, not yet indexed either, being written if busy
	busy   bool
	done   chan error
}

func newIndexer(s *Store) indexer { return indexer{store: s, done: make(chan error, 1)} }

// keepUp collects finished work and starts what is due. It waits, and can fail, only if the index lacks too much: otherwise failed
// work is repeated later.
func (x *indexer) keepUp() error {
	var failed error
	due := len(x.loose) >= looseEvents || x.bytes >= looseBytes
	if x.busy {
		if !due && len(x.done) == 0 {
			return nil
		}
		failed = x.wait()
	}
	if due && len(x.handed) == 0 {
		x.handed, x.loose, x.bytes = x.loose, x.handed, 0
		x.store.tail.handOver()
	}
	if len(x.handed) > 0 {
		x.busy = true
		go func() { x.done <- x.store.index(x.handed) }()
	}
	if !due {
		return nil
	}
	return failed
}

func (x *indexer) wait() error {
	err := <-x.done
	x.busy = false
	if err == nil {
		x.handed = x.handed[:0]
		x.store.tail.indexed()
	}
	return err
}

// leave completes the index. If that fails, the next opening does it.
func (x *indexer) leave() {
	if x.busy {
		x.wait()
	}
	x.store.index(slices.Concat(x.handed, x.loose))
}

func (s *Store) index(next []entry) error {
	if len(next) == 0 {
		return nil
	}
	c, err := s.indexing.get(context.Background())
	if err != nil {
		return err
	}
	defer s.indexing.put(c)
	if err := c.complete(next); err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	return nil
}
