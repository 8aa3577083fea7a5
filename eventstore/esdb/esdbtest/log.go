package esdbtest

import (
	"cmp"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Expectations of a revision, as the server numbers them.
const (
	noStream     = -1
	anyRevision  = -2
	streamExists = -4
	deleted      = math.MaxInt64 // the revision of a tombstone, and the $tb of a stream that was soft-deleted
)

// maxIDs is how many bytes the server's memory of recent writes may take, by its own count.
const maxIDs = 8 << 20

// A record is an event in the log.
type record struct {
	position uint64
	stream   string
	revision int64
	id       uuid.UUID
	kind     string
	json     bool
	created  int64 // ticks of 100 ns since 1970
	data     []byte
	custom   []byte
}

// A log is what the nodes of a cluster share. Positions are offsets in bytes, so they have gaps.
type log struct {
	now        func() time.Time
	mu         sync.Mutex
	records    []*record
	end        uint64
	streams    map[string][]*record // without tombstones and what was scavenged
	lasts      map[string]int64     // the revisions of the streams' last records
	tombstoned map[string]*record
	scavenged  map[uint64]bool       // the positions of records that a scavenge removed
	recent     map[uuid.UUID]*record // the memory that makes appends at any revision idempotent
	remembered []*record             // the same, oldest first
	bytes      int                   // of that memory
	changed    chan struct{}         // closed and replaced by every commit
}

// newLog returns the log of a new server, with the server's own users and settings.
func newLog(now func() time.Time) *log {
	l := &log{
		now:        now,
		end:        1024, // after what every database begins with
		streams:    map[string][]*record{},
		lasts:      map[string]int64{},
		tombstoned: map[string]*record{},
		scavenged:  map[uint64]bool{},
		recent:     map[uuid.UUID]*record{},
		changed:    make(chan struct{}),
	}
	l.write("$$$settings", "$metadata", `{"$acl":{"$r":"$all"}}`)
	l.write("$settings", "$settings", `{"$userStreamAcl":{}}`)
	l.write("$users", "$User", `"admin"`)
	l.write("$user-admin", "$UserCreated", `{"LoginName":"admin"}`)
	return l
}

// copy copies what is on disk. Events never change, so the copies share them.
func (l *log) copy() *log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &log{
		now:        l.now,
		records:    slices.Clone(l.records),
		end:        l.end,
		streams:    map[string][]*record{},
		lasts:      maps.Clone(l.lasts),
		tombstoned: maps.Clone(l.tombstoned),
		scavenged:  maps.Clone(l.scavenged),
		recent:     map[uuid.UUID]*record{},
		changed:    make(chan struct{}),
	}
	for name, records := range l.streams {
		c.streams[name] = slices.Clone(records)
	}
	return c
}

// write adds an event of the server's own.
func (l *log) write(stream, kind, data string) *record {
	return l.add(&record{stream: stream, kind: kind, json: true, id: uuid.New(), revision: l.last(stream) + 1, data: []byte(data)})
}

func (l *log) add(r *record) *record {
	r.position, r.created = l.end, l.now().UnixNano()/100
	l.end += uint64(128 + 2*len(r.stream) + 2*len(r.kind) + len(r.data) + len(r.custom))
	l.records = append(l.records, r)
	if r.revision != deleted {
		l.streams[r.stream] = append(l.streams[r.stream], r)
		l.lasts[r.stream] = r.revision
	}
	l.recent[r.id] = r
	l.remembered = append(l.remembered, r)
	for l.bytes += cost(r); l.bytes > maxIDs; {
		oldest := l.remembered[0]
		l.remembered = l.remembered[1:]
		if l.bytes -= cost(oldest); l.recent[oldest.id] == oldest {
			delete(l.recent, oldest.id)
		}
	}
	return r
}

func cost(r *record) int { return 50 + 2*len(r.stream) }

// forgetIDs empties the memory of recent writes.
func (l *log) forgetIDs() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent, l.remembered, l.bytes = map[uuid.UUID]*record{}, nil, 0
}

// announce wakes the subscribers.
func (l *log) announce() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *log) last(stream string) int64 {
	if last, exists := l.lasts[stream]; exists {
		return last
	}
	return noStream
}

// at returns a record of a stream, or nil if it never was or is scavenged.
func (l *log) at(stream string, revision int64) *record {
	records := l.streams[stream]
	i, found := slices.BinarySearchFunc(records, revision, func(r *record, n int64) int { return cmp.Compare(r.revision, n) })
	if !found {
		return nil
	}
	return records[i]
}

// gone reports whether a stream, or the stream whose metadata it is, has a tombstone.
func (l *log) gone(stream string) bool {
	of, _ := strings.CutPrefix(stream, "$$")
	return l.tombstoned[stream] != nil || l.tombstoned[of] != nil
}

// metadata limits what can be read of a stream.
type metadata struct {
	TruncateBefore int64  `json:"$tb"`
	MaxCount       int64  `json:"$maxCount"`
	MaxAge         *int64 `json:"$maxAge"` // seconds
}

func (l *log) metadataOf(stream string) (m metadata) {
	if strings.HasPrefix(stream, "$$") {
		return metadata{MaxCount: 1}
	}
	if written := l.streams["$$"+stream]; len(written) > 0 {
		_ = json.Unmarshal(written[len(written)-1].data, &m) // invalid metadata limits nothing, as on the server
	}
	return m
}

func (l *log) softlyDeleted(stream string) bool {
	return l.metadataOf(stream).TruncateBefore == deleted
}

// forgotten returns which records of a stream its metadata hide, and a scavenge removes.
func (l *log) forgotten(stream string) func(*record) bool {
	m, first, oldest := l.metadataOf(stream), int64(0), int64(math.MinInt64)
	if m.MaxCount > 0 {
		first = l.last(stream) + 1 - m.MaxCount
	}
	if m.MaxAge != nil {
		oldest = l.now().Add(-time.Duration(*m.MaxAge)*time.Second).UnixNano() / 100
	}
	first = max(first, m.TruncateBefore)
	return func(r *record) bool { return r.revision < first || r.created <= oldest }
}

// read returns the readable records of a stream.
func (l *log) read(stream string) (records []*record, exists bool) {
	if len(l.streams[stream]) == 0 || l.softlyDeleted(stream) {
		return nil, false
	}
	return slices.DeleteFunc(slices.Clone(l.streams[stream]), l.forgotten(stream)), true
}

// scavenge removes for good what cannot be read by stream: of a stream with a tombstone everything but that, of others what their
// metadata hide, but never the last event.
func (l *log) scavenge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write("$scavengePoints", "$scavengePoint", `{"threshold":0}`)
	gone := map[*record]bool{}
	for name, records := range l.streams {
		forgotten, last, buried := l.forgotten(name), l.last(name), l.gone(name)
		for _, r := range records {
			if buried || r.revision != last && forgotten(r) {
				gone[r], l.scavenged[r.position] = true, true
			}
		}
	}
	removed := func(r *record) bool { return gone[r] }
	for name, records := range l.streams {
		l.streams[name] = slices.DeleteFunc(slices.Clone(records), removed)
	}
	l.records = slices.DeleteFunc(slices.Clone(l.records), removed)
	l.announce()
}

// A verdict is the result of judging an append.
type verdict struct {
	refusal  error // nil: it is to be written, or was
	conflict bool
	current  int64
	written  *record // the last event given, if this repeats an append that was carried out
}

// judge decides on an append as the server's IndexWriter does, check by check.
func (l *log) judge(stream string, expected int64, ids []uuid.UUID) verdict {
	current := l.last(stream)
	conflict := verdict{conflict: true, current: current}
	switch {
	case l.gone(stream):
		return verdict{refusal: streamDeleted(stream)}
	case expected == streamExists && l.softlyDeleted(stream):
		return verdict{refusal: streamDeleted(stream)}
	case expected == streamExists && current < 0 && len(l.streams["$$"+stream]) == 0:
		return conflict
	case expected == anyRevision || expected == streamExists:
		var written *record
		for i, id := range ids {
			r, known := l.recent[id]
			if !known || r.stream != stream {
				if i == 0 {
					return verdict{current: current}
				}
				return conflict
			}
			written = r
		}
		return verdict{current: current, written: written}
	case expected > current:
		return conflict
	case expected == current:
		return verdict{current: current}
	}
	for i, id := range ids {
		at := expected + 1 + int64(i)
		if r := l.at(stream, at); r != nil && r.id == id {
			continue
		}
		if i == 0 && expected == noStream && l.softlyDeleted(stream) {
			return verdict{current: current}
		}
		return conflict
	}
	if len(ids) == 0 {
		return conflict
	}
	return verdict{current: current, written: l.at(stream, expected+int64(len(ids)))}
}

// append judges and writes. An append of no events takes a position in the log, and is not an event.
func (l *log) append(stream string, expected int64, events []*record) (verdict, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]uuid.UUID, len(events))
	for i, e := range events {
		ids[i] = e.id
	}
	v := l.judge(stream, expected, ids)
	switch {
	case v.refusal != nil || v.conflict:
		return v, 0
	case v.written != nil:
		v.current = v.written.revision
		return v, v.written.position
	}
	revived := l.softlyDeleted(stream)
	described, isMetadata := strings.CutPrefix(stream, "$$")
	describedRevived := isMetadata && l.softlyDeleted(described)
	position, first := l.end, v.current+1
	if len(events) == 0 {
		l.end += 128
	}
	for _, e := range events {
		v.current++
		e.stream, e.revision = stream, v.current
		position = l.add(e).position
	}
	if revived {
		l.revive(stream, first)
	}
	if describedRevived {
		l.revive(described, l.last(described)+1)
	}
	l.announce()
	return v, position
}

// revive rewrites the metadata of a soft-deleted stream: it can be read again from a revision on, and the other settings stay.
// Metadata that is not an object stays as it is.
func (l *log) revive(stream string, from int64) {
	written := l.streams["$$"+stream]
	var m map[string]any
	if json.Unmarshal(written[len(written)-1].data, &m) != nil || m == nil {
		return
	}
	m["$tb"] = from
	if data, err := json.Marshal(m); err == nil {
		l.write("$$"+stream, "$metadata", string(data))
	}
}

// delete deletes a stream, softly or with a tombstone.
func (l *log) delete(stream string, expected int64, forEver bool) (verdict, uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.judge(stream, expected, []uuid.UUID{uuid.New()})
	if v.refusal == nil && !forEver && v.current < 0 && l.last("$$"+stream) < 0 {
		v.conflict = true
	}
	if v.refusal != nil || v.conflict {
		return v, 0
	}
	var r *record
	if forEver {
		r = l.add(&record{stream: stream, kind: "$streamDeleted", id: uuid.New(), revision: deleted})
		l.tombstoned[stream] = r
	} else {
		r = l.write("$$"+stream, "$metadata", `{"$tb":9223372036854775807}`)
	}
	l.announce()
	return v, r.position
}

// all returns the records, in order.
func (l *log) all() []*record {
	records, _ := l.after(0)
	return records
}

// after returns the records after a position, and a channel that closes when there are more.
func (l *log) after(position uint64) ([]*record, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	index, _ := slices.BinarySearchFunc(l.records, position+1, byPosition)
	return l.records[index:], l.changed
}

func byPosition(r *record, position uint64) int { return cmp.Compare(r.position, position) }

// from returns the records before a position, and those at and after it. The position is invalid if it is before the log's end and
// no record ever began there.
func (l *log) from(position uint64) (before, rest []*record, valid bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	index, found := slices.BinarySearchFunc(l.records, position, byPosition)
	return l.records[:index], l.records[index:], found || position == 0 || position >= l.end || l.scavenged[position]
}

// tombstone returns a stream's tombstone, or nil.
func (l *log) tombstone(stream string) *record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tombstoned[stream]
}

// stream returns the readable records of a stream, and a channel that closes when the log grows.
func (l *log) stream(name string) (records []*record, exists, gone bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	records, exists = l.read(name)
	return slices.Clone(records), exists, l.gone(name), l.changed
}
