package table

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

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
	u := Unpacker[R, F]{facts: to}
	earlier, err = u.unpack(part)
	return u.facts, earlier, err
}

// An Unpacker unpacks one part after another in the same memory.
type Unpacker[R any, F FactOf[R]] struct {
	coder Coder
	facts []Learnt[R]
}

// Unpack returns the facts of a part, until the next call.
func (u *Unpacker[R, F]) Unpack(part []byte) ([]Learnt[R], error) {
	u.facts = u.facts[:0]
	_, err := u.unpack(part)
	return u.facts, err
}

func (u *Unpacker[R, F]) unpack(part []byte) (earlier int64, err error) {
	c := &u.coder
	earlier, n := c.open(part)
	u.facts = slices.Grow(u.facts, int(min(n, PartFacts)))
	for ; n > 0 && !c.damaged; n-- {
		u.facts = append(u.facts, Learnt[R]{})
		f := &u.facts[len(u.facts)-1]
		c.place(&f.Position, &f.Seq)
		F(&f.Fact).Code(c)
	}
	return earlier, c.end()
}

// Unpacked yields the facts of a part of a table's pack: its position and number, and a pointer to it.
func (r *Relation) Unpacked(part []byte) (facts iter.Seq2[[2]int64, any], err error) {
	var at [][2]int64
	var all []Fact
	var c Coder
	_, n := c.open(part)
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

// open begins to read a part. It keeps the memory of the one before.
func (c *Coder) open(part []byte) (earlier, n int64) {
	*c = Coder{reading: true, data: part, texts: c.texts[:0], refs: c.refs[:0], lists: c.lists[:0]}
	if c.byte() != packFormat {
		c.fail()
		return 0, 0
	}
	c.Number(&earlier)
	if c.Number(&n); n < 0 {
		c.fail()
		n = 0
	}
	return earlier, n
}

// A Coder writes the fields of facts into a pack, or reads them: numbers in few bytes if they are small, instants as the difference from
// the one before, and texts and ids once, after which a small number stands for them.
type Coder struct {
	reading bool
	damaged bool   // what was read is no pack
	data    []byte // what was written, or is read
	at      int    // where it is read

	position int64
	instant  Instant

	texts []string // so far; of each there are few, so that they are looked for one after the other
	refs  []Ref
	lists []List[uuid.UUID]
}

// end returns an error unless all was read, and nothing else was there.
func (c *Coder) end() error {
	if c.damaged || c.at < len(c.data) {
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
	if c.reading && c.at < len(c.data) && c.data[c.at] < 0x80 { // as nearly always
		u := c.data[c.at]
		c.at++
		*n = int64(u>>1) ^ -int64(u&1)
		return
	}
	c.longNumber(n)
}

func (c *Coder) longNumber(n *int64) {
	if !c.reading {
		c.data = binary.AppendVarint(c.data, *n)
		return
	}
	v, size := binary.Varint(c.data[c.at:])
	if size <= 0 {
		c.fail()
		return
	}
	*n = v
	c.at += size
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
	if c.at >= len(c.data) {
		c.fail()
		return 0
	}
	c.at++
	return c.data[c.at-1]
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
	n, isNew := c.number(slices.Index(c.texts, string(*s)), len(c.texts))
	switch {
	case isNew && c.reading:
		c.texts = slices.Grow(c.texts, 1)[:n+1]
		if next := c.bytes(); c.texts[n] != string(next) { // the pack before had another there
			c.texts[n] = string(next)
		}
	case isNew:
		c.texts = append(c.texts, string(*s))
		c.addBytes(string(*s))
	}
	*s = S(c.texts[n])
}

// Ref codes an id of which a pack has few different ones.
func (c *Coder) Ref(id *Ref) {
	n, isNew := c.number(slices.Index(c.refs, *id), len(c.refs))
	if isNew {
		c.id((*uuid.UUID)(id))
		c.refs = append(c.refs, *id)
	}
	*id = c.refs[n]
}

// IDs codes a list of ids of which a pack has few different ones.
func (c *Coder) IDs(ids *List[uuid.UUID]) {
	n, isNew := c.number(slices.IndexFunc(c.lists, func(l List[uuid.UUID]) bool { return slices.Equal(l, *ids) }), len(c.lists))
	if isNew {
		length := int64(len(*ids))
		if c.Number(&length); c.reading {
			if length < 0 || length > int64(len(c.data)-c.at)/int64(len(uuid.UUID{})) {
				c.fail()
				length = 0
			}
			*ids = make(List[uuid.UUID], length)
		}
		for i := range *ids {
			c.id(&(*ids)[i])
		}
		c.lists = append(c.lists, *ids)
	}
	*ids = c.lists[n]
}

// number codes the number of a value, of which there are count so far. When it is written it is known, or below 0 if the value is new.
func (c *Coder) number(known, count int) (n int, isNew bool) {
	at := int64(known)
	if known < 0 {
		at = int64(count)
	}
	if c.Number(&at); at < 0 || at > int64(count) {
		c.fail()
		at = int64(count)
	}
	return int(at), at == int64(count)
}

func (c *Coder) id(id *uuid.UUID) {
	switch {
	case !c.reading:
		c.data = append(c.data, id[:]...)
	case len(c.data)-c.at < len(id):
		c.fail()
	default:
		c.at += copy(id[:], c.data[c.at:])
	}
}

func (c *Coder) addBytes(value string) {
	length := int64(len(value))
	c.Number(&length)
	c.data = append(c.data, value...)
}

func (c *Coder) bytes() []byte {
	var n int64
	if c.Number(&n); n < 0 || n > int64(len(c.data)-c.at) {
		c.fail()
		return nil
	}
	c.at += int(n)
	return c.data[c.at-int(n) : c.at]
}

// fail ends reading: what is still read is nothing.
func (c *Coder) fail() { c.damaged, c.data, c.at = true, nil, 0 }

// Damaged is the damage of a pack that cannot be read.
func (r *Relation) Damaged(err error) error {
	return NewDamage("the facts in %s: %w", r.Name, fmt.Errorf("a pack is damaged: %w", err))
}
