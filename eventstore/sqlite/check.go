package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/bits"

	"daybook/eventstore"
)

var _ eventstore.Checker = (*Store)(nil)

// Check implements eventstore.Checker. If the log is open for writing, an index that is wrong is then made anew.
func (s *Store) Check(ctx context.Context, found func(error), progress func(done, total int64)) (events int64, err error) {
	if s.at.path == "" {
		return 0, nil // what is in memory cannot be compared with a disk
	}
	before, wrong := s.mended.Load(), false
	events, err = s.check(ctx, func(e error) {
		var index *eventstore.IndexError
		wrong = wrong || errors.As(e, &index)
		found(e)
	}, progress)
	if err == nil && wrong && s.queue != nil {
		err = s.mend(before)
	}
	return events, err
}

// check reads the log by a connection of its own, which has nothing in memory.
func (s *Store) check(ctx context.Context, found func(error), progress func(done, total int64)) (events int64, err error) {
	var wrong error // with the index as a whole
	c, err := dial(source{s.at.path, "ro"}, func(c *conn) (err error) {
		if c.log, err = c.identity(); err != nil {
			return err
		}
		if wrong = c.attach(source{s.at.path, "ro"}); wrong != nil {
			if err := c.renew(source{}); err != nil {
				return err
			}
		}
		return c.prepare(c.readerStatements())
	})
	if err != nil {
		return 0, reported(func(e *eventstore.DamageError) { found(e) }, err)
	}
	defer c.close()
	// One transaction sees the index as it was, and then the log as it was later.
	if err := c.run("BEGIN"); err != nil {
		return 0, err
	}
	k := check{conn: c, found: found, progress: progress, streams: map[int64]eventstore.Revision{}, names: map[hash]bool{}}
	if err := k.readLog(ctx); err != nil {
		return k.events, err
	}
	if wrong != nil {
		found(&eventstore.IndexError{What: "it is missing, damaged, or another log's; " + anew})
		return k.events, nil
	}
	if k.damaged { // nothing to compare the index with
		return k.events, nil
	}
	return k.events, k.compareIndex(ctx)
}

// anew says what becomes of an index.
const anew = "daybook verify --url has the server make it anew"

// reported tells damage, and returns any other error.
func reported(found func(*eventstore.DamageError), err error) error {
	if damage, is := errors.AsType[*eventstore.DamageError](explain(err)); is {
		found(damage)
		return nil
	}
	return err
}

// A check is a reading of a whole log.
type check struct {
	conn     *conn
	found    func(error)
	progress func(done, total int64)

	events  int64
	damaged bool
	streams map[int64]eventstore.Revision // their last ones
	names   map[hash]bool
	log     contents // what the index has to say, up to what it covers
}

// contents sum up rows, in whatever order they come.
type contents struct{ revisions, ends, names digest }

type digest struct {
	rows int64
	sum  uint64
}

// add adds a row of numbers.
func (d *digest) add(numbers ...int64) {
	var x uint64
	for _, n := range numbers {
		x = (bits.RotateLeft64(x, 29) ^ uint64(n)) * 0x9e3779b97f4a7c15
		x ^= x >> 32
	}
	d.rows++
	d.sum += x * 0xbf58476d1ce4e5b9
}

func (k *check) damage(e *eventstore.DamageError) {
	k.damaged = true
	k.found(e)
}

// readLog proves that positions have no gap, that each pack is as it was written, and that each stream goes from one revision to the
// next.
func (k *check) readLog(ctx context.Context) error {
	covered, err := k.conn.number("SELECT position FROM lookup.covered")
	if err != nil {
		return reported(k.damage, err)
	}
	head, err := k.conn.number("SELECT coalesce(max(last), 0) FROM log")
	if err != nil {
		return reported(k.damage, err)
	}
	if _, _, err := k.conn.readEnd(); err != nil {
		if err := reported(k.damage, err); err != nil {
			return err
		}
	}
	var at, recorded int64
	err = k.conn.page.each(func(row []driver.Value) bool {
		var bad *eventstore.DamageError
		_, err := k.conn.unpack(row, eventstore.Forwards, func(it item) (bool, error) {
			if at++; int64(it.position) != at {
				k.damage(missingAt(eventstore.Position(at)))
				at = int64(it.position)
			}
			k.event(it, at <= covered)
			return true, nil
		})
		if errors.As(err, &bad) {
			k.damage(bad)
			at, _ = row[0].(int64)
		}
		if r, _ := row[1].(int64); r < recorded {
			k.damage(&eventstore.DamageError{Position: eventstore.Position(at), What: "it was recorded before the event before it"})
		} else {
			recorded = r
		}
		if k.progress != nil {
			k.progress(at, head)
		}
		return ctx.Err() == nil
	}, int64(0))
	if err != nil {
		return reported(k.damage, err)
	}
	return ctx.Err()
}

func (k *check) event(it item, indexed bool) {
	k.events++
	last, known := k.streams[it.stream]
	switch {
	case it.revision == 0 && !known && it.name() != "":
		h := hashOf(it.name())
		if k.names[h] {
			k.damage(&eventstore.DamageError{Position: it.position, Stream: it.name(), What: "its stream begins twice"})
		}
		k.names[h] = true
		if indexed {
			k.log.names.add(it.stream, halves(h)[0], halves(h)[1])
		}
	case !known || it.revision != last+1:
		k.damage(&eventstore.DamageError{Position: it.position, What: fmt.Sprintf("it has revision %d of its stream, which is not the next", it.revision)})
	}
	k.streams[it.stream] = it.revision
	if indexed {
		k.log.revisions.add(it.stream, int64(it.revision), int64(it.position))
		if known {
			k.log.ends.remove(it.stream, int64(last))
		}
		k.log.ends.add(it.stream, int64(it.revision))
	}
}

// remove takes a row back that was added.
func (d *digest) remove(numbers ...int64) {
	var one digest
	one.add(numbers...)
	d.rows--
	d.sum -= one.sum
}

// compareIndex compares the index with what the log holds.
func (k *check) compareIndex(ctx context.Context) error {
	var index contents
	ring, last := true, hash{}
	for _, of := range []struct {
		rows string
		take func(row []driver.Value) error
	}{
		{"SELECT stream, revision, position FROM revisions", func(row []driver.Value) error {
			index.revisions.add(numbers(row)...)
			return nil
		}},
		{"SELECT stream, revision, checksum FROM ends", func(row []driver.Value) error {
			n := numbers(row)
			if n[2] != k.conn.checksum(n[:2]) {
				return errIndex
			}
			index.ends.add(n[:2]...)
			return nil
		}},
		{"SELECT hash, next, stream, checksum FROM names ORDER BY hash", func(row []driver.Value) error {
			at, _ := row[0].([]byte)
			if len(at) != len(hash{}) {
				return errIndex
			}
			r, err := k.conn.ring(row, hash(at))
			if err != nil {
				return err
			}
			ring = ring && r.hash == last
			if last = r.next; r.stream != 0 {
				index.names.add(r.stream, halves(r.hash)[0], halves(r.hash)[1])
			}
			return nil
		}},
	} {
		var bad error
		err := k.conn.ask(of.rows, func(row []driver.Value) bool {
			bad = cmp.Or(ctx.Err(), of.take(row))
			return bad == nil
		})
		if err := cmp.Or(err, bad); err != nil {
			if !blamesIndex(err) {
				return err
			}
			k.found(&eventstore.IndexError{What: "it is damaged; " + anew})
			return nil
		}
	}
	if !ring || last != lastHash || index != k.log {
		k.found(&eventstore.IndexError{What: "it says something else than the log; " + anew})
	}
	return nil
}

func numbers(row []driver.Value) []int64 {
	n := make([]int64, len(row))
	for i, v := range row {
		n[i], _ = v.(int64)
	}
	return n
}

// halves returns a hash as two numbers.
func halves(h hash) (n [2]int64) {
	for i, b := range h {
		n[i/8] = n[i/8]<<8 | int64(b)
	}
	return n
}

// number asks for one number.
func (c *conn) number(question string) (n int64, err error) {
	err = c.ask(question, func(row []driver.Value) bool {
		n, _ = row[0].(int64)
		return false
	})
	return n, err
}
