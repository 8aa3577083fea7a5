package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"daybook/eventstore"
)

// lookupSchema is the schema of the index of revisions, a second file that is attached to the log under the name lookup.
//
//go:embed lookup.sql
var lookupSchema string

// An entry is a row of the index of revisions.
type entry struct {
	stream   int64
	revision eventstore.Revision
	position eventstore.Position
}

const (
	entriesAtOnce = 64      // written by one statement
	entriesKept   = 1 << 18 // of a gap in the index that are read into memory at a time
)

// indexSuffix is added to the log's name.
const indexSuffix = ".index"

// attach opens the index, if it is intact and belongs to this log. It may belong to what the log was before a restore.
func (c *conn) attach(at source) error {
	if err := c.attachFile(at); err != nil {
		return err
	}
	var log string
	var covered int64
	err := c.ask("SELECT log, position FROM covered", func(row []driver.Value) bool {
		log, _ = row[0].(string)
		covered, _ = row[1].(int64)
		return false
	})
	if err != nil {
		return err
	}
	var head int64
	err = c.ask(askHead, func(row []driver.Value) bool {
		head = row[0].(int64)
		return false
	})
	if err == nil && (log != c.log.String() || covered > head) {
		err = errors.New("the index belongs to another log")
	}
	return err
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
	row := fmt.Sprintf("INSERT INTO covered (one, log, position) VALUES (1, '%s', 0);", c.log)
	return c.run("BEGIN;" + lookupSchema + row + "COMMIT;")
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

// completeFromLog adds to the index the events of the log that it lacks.
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
	var damaged error
	err = c.unindexed.each(func(row []driver.Value) (more bool) {
		more, damaged = unpack(row, eventstore.Forwards, func(it item) (bool, error) {
			missing = append(missing, entry{it.stream, it.revision, it.position})
			return true, nil
		})
		return more && len(missing) < entriesKept
	})
	return missing, errors.Join(err, damaged)
}

// complete adds the next events to the index, in the index's order.
func (c *conn) complete(next []entry) error {
	covered := next[len(next)-1].position
	next = slices.SortedFunc(slices.Values(next), func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.revision, b.revision))
	})
	return c.atomically(func() error {
		args := make([]driver.Value, 0, 3*entriesAtOnce)
		for some := range slices.Chunk(next, entriesAtOnce) {
			args = args[:0]
			for _, e := range some {
				args = append(args, e.stream, int64(e.revision), int64(e.position))
			}
			if len(some) == entriesAtOnce {
				if _, err := c.indexMany.exec(args...); err != nil {
					return err
				}
				continue
			}
			for one := range slices.Chunk(args, 3) {
				if _, err := c.index.exec(one...); err != nil {
					return err
				}
			}
		}
		_, err := c.cover.exec(int64(covered))
		return err
	})
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
