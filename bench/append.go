package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"daybook/bench/limit"
	"daybook/eventstore"
	"daybook/eventstore/postgres"
	"daybook/eventstore/sqlite"
)

var appends = []measure{
	{id: "P1", title: "durable append, embedded store, 64 callers", reference: "the same store, one transaction per append", must: 10, aim: 16, start: startP1},
	{id: "P1pg", title: "durable append, store in PostgreSQL, 64 callers", reference: "message-db's write_message, one category, 64 connections", must: 8, aim: 12, postgres: true, start: startP1pg},
	{id: "P2", title: "durable append, embedded store, 64 callers", reference: "hand-written log file, preallocated, group commit", must: 0.33, aim: 0.5, start: startP2},
	{id: "P3", title: "durable append, embedded store, 1 caller", reference: "overwriting 4 KiB with fdatasync", must: 0.85, aim: 0.95, start: startP3},
}

const (
	manyCallers = 64
	streamCount = 10_000
	limitSize   = 512 << 20
)

func startP1(s setting) (rounds, error) {
	together, err := openStore(s, "together", sqlite.Options{})
	if err != nil {
		return rounds{}, err
	}
	alone, err := openStore(s, "alone", sqlite.Options{MaxBatch: 1})
	if err != nil {
		return rounds{}, errors.Join(err, together.Close())
	}
	return rounds{
		ours:      appending(s, manyCallers, toStore(together), 0),
		reference: appending(s, manyCallers, toStore(alone), 0),
		stop:      func() error { return errors.Join(together.Close(), alone.Close()) },
	}, nil
}

// startP1pg compares with another event store on the same server.
func startP1pg(s setting) (rounds, error) {
	store, err := postgres.Open(context.Background(), s.postgres, postgres.Options{})
	if err != nil {
		return rounds{}, err
	}
	db, write, err := openMessageDB(s.postgres)
	if err != nil {
		return rounds{}, errors.Join(err, store.Close())
	}
	stop := func() error {
		return errors.Join(store.Close(), db.Close(), execute(s.postgres, "DROP SCHEMA eventlog, message_store CASCADE"))
	}
	if err := errors.Join(firstEvents(toStore(store)), firstEvents(write)); err != nil {
		return rounds{}, errors.Join(err, stop())
	}
	return rounds{
		ours:      appending(s, manyCallers, toStore(store), 0),
		reference: appending(s, manyCallers, write, 0),
		stop:      stop,
	}, nil
}

func startP2(s setting) (rounds, error) {
	store, err := openStore(s, "store", sqlite.Options{})
	if err != nil {
		return rounds{}, err
	}
	log, err := limit.Create(filepath.Join(s.dir, "limit"), limitSize)
	if err != nil {
		return rounds{}, errors.Join(err, store.Close())
	}
	return rounds{
		ours:      appending(s, manyCallers, toStore(store), 0),
		reference: appending(s, manyCallers, toLimit(log), -1),
		stop:      func() error { return errors.Join(store.Close(), log.Close()) },
	}, nil
}

func startP3(s setting) (rounds, error) {
	store, err := openStore(s, "store", sqlite.Options{})
	if err != nil {
		return rounds{}, err
	}
	return rounds{
		ours:      appending(s, 1, toStore(store), 0),
		reference: func() (float64, error) { return syncing(s) },
		stop:      store.Close,
	}, nil
}

// settled is the size that SQLite's write-ahead log reaches before it is reused from its start: 16 000 pages. A commit that enlarges the
// file is slower, and a server makes such commits only in its first minute.
const settled = 16_000 * 4096

// openStore opens a store whose streams have their first event, and whose write-ahead log has reached its size.
func openStore(s setting, name string, opts sqlite.Options) (*sqlite.Store, error) {
	path := filepath.Join(s.dir, name+".db")
	store, err := sqlite.Open(path, opts)
	if err != nil {
		return nil, err
	}
	if err := settle(store, path); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// settle appends the first event of each stream, and then until the write-ahead log has reached its size.
func settle(store eventstore.Store, path string) error {
	if err := firstEvents(toStore(store)); err != nil {
		return err
	}
	return inParallel(manyCallers, func(int) error {
		stream := "settling-" + newID().String()
		for revision := int64(-1); ; revision++ {
			log, err := os.Stat(path + "-wal")
			if err != nil || log.Size() >= settled {
				return err
			}
			if err := toStore(store)(stream, revision, newID(), payloads[0]); err != nil {
				return err
			}
		}
	})
}

// firstEvents appends the first event of each stream.
func firstEvents(appendOne appender) error {
	return inParallel(manyCallers, func(caller int) error {
		for n := caller; n < streamCount; n += manyCallers {
			if err := appendOne(streamNames[n], -1, newID(), payloads[n%len(payloads)]); err != nil {
				return err
			}
		}
		return nil
	})
}

// An appender appends one event to a stream at a revision.
type appender func(stream string, expected int64, id uuid.UUID, p payload) error

func toStore(store eventstore.Store) appender {
	return func(stream string, expected int64, id uuid.UUID, p payload) error {
		_, err := eventstore.AppendTo(context.Background(), store, stream, eventstore.Revision(expected),
			[]eventstore.Event{{ID: id, Type: eventType, Data: p.data, Meta: p.meta}})
		return err
	}
}

func toLimit(log *limit.Log) appender {
	return func(stream string, expected int64, id uuid.UUID, p payload) error {
		return log.Append(stream, expected, id, eventType, p.data, p.meta)
	}
}

// appending returns a side that appends single events to random streams. Each caller has its own streams, so that there are no conflicts.
// Revisions continue from one round to the next.
func appending(s setting, callers int, appendOne appender, first int64) func() (float64, error) {
	revisions := make([]int64, streamCount)
	for i := range revisions {
		revisions[i] = first
	}
	return func() (float64, error) {
		var total atomic.Int64
		start := time.Now()
		err := inParallel(callers, func(caller int) error {
			done := 0
			for ; time.Since(start) < s.time; done++ {
				n := rand.IntN(streamCount/callers)*callers + caller
				if err := appendOne(streamNames[n], revisions[n], newID(), payloads[rand.IntN(len(payloads))]); err != nil {
					return err
				}
				revisions[n]++
			}
			total.Add(int64(done))
			return nil
		})
		return float64(total.Load()) / time.Since(start).Seconds(), err
	}
}

// syncing measures how often per second the disk makes one block durable, in a file that does not grow.
func syncing(s setting) (float64, error) {
	const block, blocks = 4096, 4096
	file, err := os.Create(filepath.Join(s.dir, "raw"))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	if _, err := file.Write(make([]byte, block*blocks)); err != nil {
		return 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, err
	}
	content := make([]byte, block)
	start, n := time.Now(), 0
	for ; time.Since(start) < s.time; n++ {
		content[n%block]++
		if _, err := file.WriteAt(content, int64(n%blocks)*block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// inParallel runs work once for each caller and waits for all.
func inParallel(callers int, work func(caller int) error) error {
	errs := make([]error, callers)
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() { errs[caller] = work(caller) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// A payload is an event's content: 373 bytes of JSON and about 150 of metadata.
type payload struct{ data, meta []byte }

const eventType = "ticket-replied"

var payloads = func() (all [256]payload) {
	for i := range all {
		data := fmt.Sprintf(`{"message":"%s","from":"agent","channel":"email","body":"`, newID())
		for len(data) < 371 {
			data += string(rune('a' + rand.IntN(26)))
		}
		all[i].data = []byte(data + `"}`)
		all[i].meta = fmt.Appendf(nil, `{"at":"2026-01-02T15:04:05.000006Z","actor":"agent:%s","request":"%s","correlation":"%d"}`,
			newID(), newID(), 1000+i)
	}
	return all
}()

var streamNames = func() (all [streamCount]string) {
	for i := range all {
		all[i] = "ticket-" + newID().String()
	}
	return all
}()

// newID is cheap, so that the callers do not measure the system's random numbers.
func newID() (id uuid.UUID) {
	binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	binary.LittleEndian.PutUint64(id[8:], rand.Uint64())
	return id
}
