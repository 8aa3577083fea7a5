package sqlite

import (
	"database/sql/driver"
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"

	"daybook/eventstore"
)

// A row of the log is a pack: some events that were committed together. A statement costs the writer several times what an event's
// bytes do, so events share rows. But reading one event reads its whole pack, so packs are small. A larger event has a pack to
// itself.
const (
	packEvents = 32 // and as many positions
	packBytes  = 8 << 10
)

// A pack being written. Its memory is reused when it is empty.
type pack struct {
	events        int
	heads, bodies []byte
}

// An event's head is a line of numbers, each padded to its greatest width, so that SQL and Go find them by their offsets: the stream's
// number, the revision, the offset of its body, and the lengths of type, data, metadata and name. A body is the id and these four.
// The name is the stream's, with its first event, whose position is the stream's number. The view events decodes the same.
var headWidths = [...]int{14, 10, 8, 8, 8, 8, 4}

const headSize = 14 + 10 + 4*8 + 4

// fits reports whether an event can be added.
func (p *pack) fits(e *eventstore.Event) bool {
	return p.events == 0 || p.events < packEvents && len(p.bodies)+len(uuid.UUID{})+e.Size() <= packBytes
}

// add adds an event; name is empty unless it is its stream's first.
func (p *pack) add(stream int64, r eventstore.Revision, e *eventstore.Event, name string) {
	for i, n := range [...]int64{stream, int64(r), int64(len(p.bodies)), int64(len(e.Type)), int64(len(e.Data)), int64(len(e.Meta)), int64(len(name))} {
		p.heads = appendNumber(p.heads, n, headWidths[i])
	}
	p.bodies = append(p.bodies, e.ID[:]...)
	p.bodies = append(p.bodies, e.Type...)
	p.bodies = append(p.bodies, e.Data...)
	p.bodies = append(p.bodies, e.Meta...)
	p.bodies = append(p.bodies, name...)
	p.events++
}

func (p *pack) clear() { p.events, p.heads, p.bodies = 0, p.heads[:0], p.bodies[:0] }

// appendNumber appends a number, padded with spaces on its left to a width, and followed by one space.
func appendNumber(b []byte, n int64, width int) []byte {
	const spaces = "                "
	b = append(b, spaces[:width]...)
	for i := len(b) - 2; ; i-- {
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return b
		}
	}
}

// readNumber reads the number at the start of a head, and returns what comes after it.
func readNumber(b []byte, width int) (n int64, rest []byte) {
	for _, c := range b[:width] {
		if c != ' ' {
			n = 10*n + int64(c-'0')
		}
	}
	return n, b[width:]
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the checksum of a row: of its numbers and then its bytes. The lengths of the bytes keep apart what two
// columns hold.
func (c *conn) checksum(numbers []int64, columns ...[]byte) int64 {
	var room [128]byte
	b := append(room[:0], c.log[:]...)
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, column := range columns {
		b = binary.BigEndian.AppendUint64(b, uint64(len(column)))
	}
	sum := crc32.Update(0, castagnoli, b)
	for _, column := range columns {
		sum = crc32.Update(sum, castagnoli, column)
	}
	return int64(sum)
}

// An item is an event in a pack that was read.
type item struct {
	stream   int64
	revision eventstore.Revision
	position eventstore.Position
	body     []byte
	lengths  [4]int64 // of its type, data, metadata and the stream's name
}

// unpack calls take with the events of a row of the log, in the given direction, until it returns false. It reports whether take
// always returned true. It returns a *eventstore.DamageError for a row that is not as it was written.
func (c *conn) unpack(row []driver.Value, way eventstore.Direction, take func(item) (bool, error)) (bool, error) {
	last, _ := row[0].(int64)
	at, _ := row[1].(int64)
	heads, _ := row[2].([]byte)
	bodies, _ := row[3].([]byte)
	if sum, whole := row[4].(int64); !whole || sum != c.checksum([]int64{last, at}, heads, bodies) {
		return false, &eventstore.DamageError{Position: eventstore.Position(last), What: "its checksum is wrong"}
	}
	n := len(heads) / headSize
	for i := range n {
		if way == eventstore.Backwards {
			i = n - 1 - i
		}
		head := heads[i*headSize : (i+1)*headSize]
		it := item{position: eventstore.Position(last - int64(n-1-i))}
		var revision, from int64
		it.stream, head = readNumber(head, headWidths[0])
		revision, head = readNumber(head, headWidths[1])
		from, head = readNumber(head, headWidths[2])
		it.revision = eventstore.Revision(revision)
		to := from + int64(len(uuid.UUID{}))
		for k := range it.lengths {
			it.lengths[k], head = readNumber(head, headWidths[3+k])
			to += it.lengths[k]
		}
		it.body = bodies[from:to:to]
		if more, err := take(it); !more || err != nil {
			return false, err
		}
	}
	return true, nil
}

// event decodes an item. Its bytes are the row's.
func (it item) event() (e eventstore.Recorded) {
	e.Position, e.Revision = it.position, it.revision
	rest := it.body[copy(e.ID[:], it.body):]
	var parts [3][]byte
	for i := range parts {
		n := it.lengths[i]
		parts[i], rest = rest[:n:n], rest[n:]
	}
	e.Type, e.Data, e.Meta = string(parts[0]), parts[1], parts[2]
	return e
}

// name returns the name of the stream whose first event this is.
func (it item) name() string { return string(it.body[int64(len(it.body))-it.lengths[3]:]) }
