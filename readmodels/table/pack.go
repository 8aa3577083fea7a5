package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"

	"github.com/google/uuid"
)

// A Fact is something that was learnt from an event and never changes. Many facts that are found together are kept in one row, a pack:
// of 4 million facts, reading those of a year takes a fraction of a second, which as rows of their own takes 20.
type Fact interface {
	// Code passes each field to the coder, which writes or reads it.
	Code(*Coder)
}

// A Learnt is a fact with the event that it was learnt from. The facts of an event have different numbers.
type Learnt[R any] struct {
	Position Position
	Seq      int64
	Fact     R
}

// FactOf is the constraint of a pointer to a fact.
type FactOf[R any] interface {
	*R
	Fact
}

// PartFacts is how many facts a part of a pack has at most. Part 0 has the newest, at least one; when it is full, the next fact makes it
// part 1, 2 and so on. So adding a fact writes one part, and equal facts are equal bytes, in whatever order they came.
const PartFacts = 512

// packFormat is the first byte of a part. After it come the number of earlier parts, the number of facts, and the facts in order: each its
// position as a difference from the one before, its number and its fields.
const packFormat = 1

var errPack = errors.New("it cannot be read")

// Pack packs the facts of a part that comes after some others.
func Pack[R any, F FactOf[R]](earlier int64, facts []Learnt[R]) []byte {
	c := Coder{data: append(make([]byte, 0, 32+24*len(facts)), packFormat)}
	n := int64(len(facts))
	c.Number(&earlier)
	c.Number(&n)
	for i := range facts {
		f := &facts[i]
		c.place(&f.Position, &f.Seq)
		F(&f.Fact).Code(&c)
	}
	return c.data
}

// Unpack adds the facts of a part to a slice. It also returns how many earlier parts there are.
func Unpack[R any, F FactOf[R]](part []byte, to []Learnt[R]) (facts []Learnt[R], earlier int64, err error) {
	c, earlier, n := open(part)
	for ; n > 0 && !c.damaged; n-- {
		to = append(to, Learnt[R]{})
		f := &to[len(to)-1]
		c.place(&f.Position, &f.Seq)
		F(&f.Fact).Code(&c)
	}
	return to, earlier, c.end()
}

// Unpacked yields the facts of a part of a table's pack: its position and number, and a pointer to it.
func (r *Relation) Unpacked(part []byte) (facts iter.Seq2[[2]int64, any], err error) {
	var at [][2]int64
	var all []Fact
	c, _, n := open(part)
	for ; n > 0 && !c.damaged; n-- {
		var p Position
		var seq int64
		fact := reflect.New(reflect.TypeOf(r.Facts).Elem()).Interface().(Fact)
		c.place(&p, &seq)
		fact.Code(&c)
		at, all = append(at, [2]int64{int64(p), seq}), append(all, fact)
	}
	return func(yield func([2]int64, any) bool) {
		for i, fact := range all {
			if !yield(at[i], fact) {
				return
			}
		}
	}, c.end()
}

func open(part []byte) (c Coder, earlier, n int64) {
	c = Coder{data: part, reading: true}
	if c.byte() != packFormat {
		c.damaged = true
		return c, 0, 0
	}
	c.Number(&earlier)
	c.Number(&n)
	return c, earlier, n
}

// A Coder writes the fields of facts into a pack, or reads them: numbers in few bytes if they are small, instants as the difference from
// the one before, and texts and ids once, after which a small number stands for them.
type Coder struct {
	reading bool
	data    []byte // what was written, or is still to be read
	damaged bool   // what was read is no pack

	position int64
	instant  Instant
	texts    dictionary[string]
	refs     dictionary[Ref]
	lists    dictionary[string] // of ids, as bytes
	ids      []List[uuid.UUID]  // the lists that were read
}

// A dictionary numbers the values of a pack, in the order in which they come.
type dictionary[T comparable] struct {
	numbers map[T]int64
	values  []T
}

// number returns the number of a value. It is new if it is the number of values so far.
func (d *dictionary[T]) number(value T) (n int64, isNew bool) {
	if n, known := d.numbers[value]; known {
		return n, false
	}
	if d.numbers == nil {
		d.numbers = map[T]int64{}
	}
	n = int64(len(d.numbers))
	d.numbers[value] = n
	return n, true
}

// end returns an error unless all was read, and nothing else was there.
func (c *Coder) end() error {
	if c.damaged || len(c.data) > 0 {
		return errPack
	}
	return nil
}

func (c *Coder) place(position *Position, seq *int64) {
	delta := int64(*position) - c.position
	c.Number(&delta)
	c.position += delta
	*position = Position(c.position)
	c.Number(seq)
}

// Number codes a number.
func (c *Coder) Number(n *int64) {
	if !c.reading {
		c.data = binary.AppendVarint(c.data, *n)
		return
	}
	if len(c.data) > 0 && c.data[0] < 0x80 { // as nearly always
		u := c.data[0]
		*n = int64(u>>1) ^ -int64(u&1)
		c.data = c.data[1:]
		return
	}
	v, size := binary.Varint(c.data)
	if size <= 0 {
		c.fail()
		return
	}
	*n, c.data = v, c.data[size:]
}

// Byte codes a byte.
func (c *Coder) Byte(b *byte) {
	if !c.reading {
		c.data = append(c.data, *b)
		return
	}
	*b = c.byte()
}

func (c *Coder) byte() byte {
	if len(c.data) == 0 {
		c.fail()
		return 0
	}
	b := c.data[0]
	c.data = c.data[1:]
	return b
}

// Instant codes an instant.
func (c *Coder) Instant(at *Instant) {
	delta := int64(*at - c.instant)
	c.Number(&delta)
	c.instant += Instant(delta)
	*at = c.instant
}

// Word codes a text of which a pack has few different ones.
func Word[S ~string](c *Coder, s *S) {
	if !c.reading {
		c.addText(&c.texts, string(*s))
		return
	}
	var n int64
	if c.known(&n, len(c.texts.values)) {
		c.texts.values = append(c.texts.values, string(c.bytes()))
	}
	if !c.damaged {
		*s = S(c.texts.values[n])
	}
}

// Ref codes an id of which a pack has few different ones.
func (c *Coder) Ref(id *Ref) {
	if !c.reading {
		n, isNew := c.refs.number(*id)
		if c.Number(&n); isNew {
			c.data = append(c.data, id[:]...)
		}
		return
	}
	var n int64
	if c.known(&n, len(c.refs.values)) {
		var next Ref
		if copy(next[:], c.data) < len(next) {
			c.fail()
			return
		}
		c.data = c.data[len(next):]
		c.refs.values = append(c.refs.values, next)
	}
	if !c.damaged {
		*id = c.refs.values[n]
	}
}

// IDs codes a list of ids of which a pack has few different ones.
func (c *Coder) IDs(list *List[uuid.UUID]) {
	if !c.reading {
		var b strings.Builder
		for _, id := range *list {
			b.Write(id[:])
		}
		c.addText(&c.lists, b.String())
		return
	}
	var n int64
	if c.known(&n, len(c.ids)) {
		var next List[uuid.UUID]
		raw := c.bytes()
		for ; len(raw) >= len(uuid.UUID{}); raw = raw[len(uuid.UUID{}):] {
			next = append(next, uuid.UUID(raw[:len(uuid.UUID{})]))
		}
		if len(raw) > 0 {
			c.fail()
		}
		c.ids = append(c.ids, next)
	}
	if !c.damaged {
		*list = c.ids[n]
	}
}

// addText writes the number of a text, and the text if it is new.
func (c *Coder) addText(d *dictionary[string], text string) {
	n, isNew := d.number(text)
	if c.Number(&n); isNew {
		length := int64(len(text))
		c.Number(&length)
		c.data = append(c.data, text...)
	}
}

// known reads the number of a value, of which there are count so far, and reports whether it is a new one.
func (c *Coder) known(n *int64, count int) (isNew bool) {
	c.Number(n)
	if *n < 0 || *n > int64(count) {
		c.fail()
	}
	return !c.damaged && *n == int64(count)
}

func (c *Coder) bytes() []byte {
	var n int64
	c.Number(&n)
	if n < 0 || n > int64(len(c.data)) {
		c.fail()
		return nil
	}
	b := c.data[:n]
	c.data = c.data[n:]
	return b
}

// fail ends reading.
func (c *Coder) fail() { c.damaged, c.data = true, nil }

// Damaged is the damage of a pack that cannot be read.
func (r *Relation) Damaged(err error) error {
	return NewDamage("the facts in %s: %w", r.Name, fmt.Errorf("a pack is damaged: %w", err))
}
