package table

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

type sighting struct {
	At, Until Instant
	Bird      string
	By        Ref
	Rings     List[uuid.UUID]
	Eggs      int64
	Kind      byte
}

func (s *sighting) Code(c *Coder) {
	c.Instant(&s.At)
	c.Instant(&s.Until)
	Word(c, &s.Bird)
	c.Ref(&s.By)
	c.IDs(&s.Rings)
	c.Number(&s.Eggs)
	c.Byte(&s.Kind)
}

var someIDs = []uuid.UUID{uuid.Nil, uuid.New(), uuid.New(), uuid.Max}

func drawSighting(t *rapid.T) sighting {
	return sighting{
		At:    Instant(rapid.Int64().Draw(t, "at")),
		Until: Instant(rapid.Int64Range(-100, 100).Draw(t, "until")),
		Bird:  rapid.SampledFrom([]string{"", "owl", "wren", "\x00"}).Draw(t, "bird"),
		By:    Ref(rapid.SampledFrom(someIDs).Draw(t, "by")),
		Rings: rapid.SliceOfN(rapid.SampledFrom(someIDs), 0, 3).Draw(t, "rings"),
		Eggs:  rapid.SampledFrom([]int64{0, 1, -1, 63, 64, -64, -65, math.MaxInt64, math.MinInt64}).Draw(t, "eggs"),
		Kind:  rapid.Byte().Draw(t, "kind"),
	}
}

// What was packed is unpacked, typed or not, and packed again gives the same bytes.
func TestPack(t *testing.T) {
	r, err := Relate(Table{Name: "sightings", Row: struct {
		Day int64 `db:"day,key"`
	}{}, Facts: new(sighting)})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		facts := make([]Learnt[sighting], rapid.IntRange(0, 40).Draw(t, "facts"))
		for i := range facts {
			facts[i] = Learnt[sighting]{Position(rapid.Int64().Draw(t, "position")), rapid.Int64().Draw(t, "seq"), drawSighting(t)}
		}
		earlier := rapid.Int64Range(0, 1000).Draw(t, "earlier")
		part := Pack(earlier, facts)
		again, before, err := Unpack[sighting](part, nil)
		if diff := cmp.Diff(facts, again, cmpopts.EquateEmpty()); err != nil || before != earlier || diff != "" {
			t.Fatalf("%d earlier parts, %v\n%s", before, err, diff)
		}
		if !bytes.Equal(part, Pack(before, again)) {
			t.Fatal("packed again it has other bytes")
		}
		untyped, err := r.Unpacked(part)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for place, fact := range untyped {
			if place != [2]int64{int64(facts[n].Position), facts[n].Seq} || !cmp.Equal(*fact.(*sighting), facts[n].Fact, cmpopts.EquateEmpty()) {
				t.Fatalf("%d: %v %+v", n, place, fact)
			}
			n++
		}
		if n != len(facts) {
			t.Fatalf("%d facts, not %d", n, len(facts))
		}
	})
}

// Any bytes are a pack or an error.
func FuzzUnpack(f *testing.F) {
	f.Add([]byte{})
	f.Add(Pack(3, []Learnt[sighting]{{5, 1, sighting{At: 7, Bird: "owl", Rings: someIDs}}, {6, 0, sighting{At: 9, Bird: "owl", Rings: someIDs}}}))
	f.Fuzz(func(t *testing.T, part []byte) {
		facts, earlier, err := Unpack[sighting](part, nil)
		if err != nil {
			return
		}
		again, before, err := Unpack[sighting](Pack(earlier, facts), nil)
		if diff := cmp.Diff(facts, again, cmpopts.EquateEmpty()); err != nil || before != earlier || diff != "" {
			t.Fatalf("%d earlier parts, %v\n%s", before, err, diff)
		}
	})
}
