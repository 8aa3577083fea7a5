package limit

import (
	"math"
	"slices"
	"sort"
)

// Facts are those of a report's period as columns in memory. Reports are compared with a loop over them.
type Facts struct {
	At     []int64 // microseconds since 1970
	Agent  []int32 // number of the agent
	Kind   []uint8 // below Kinds
	Micros []int64 // how long it took; 0 if it is only counted
	Sign   []int8  // 1, or -1 if it no longer counts
}

// Kinds is how many kinds of facts there are at most.
const Kinds = 16

// Figures are those of one agent, in one bucket, of one kind of fact.
type Figures struct {
	N, Sum, Median, P90 int64
}

// Report computes the figures of each bucket and agent. ends are those of the buckets, which have no gaps.
func (f *Facts) Report(start int64, ends []int64, agents int) []Figures {
	figures := make([]Figures, len(ends)*agents*Kinds)
	took, gone := make([][]int64, len(figures)), make([][]int64, len(figures))
	for i, at := range f.At {
		if at < start || at >= ends[len(ends)-1] {
			continue
		}
		bucket := sort.Search(len(ends), func(b int) bool { return ends[b] > at })
		cell := (bucket*agents+int(f.Agent[i]))*Kinds + int(f.Kind[i])
		figures[cell].N += int64(f.Sign[i])
		switch {
		case f.Micros[i] == 0:
		case f.Sign[i] > 0:
			took[cell] = append(took[cell], f.Micros[i])
		default:
			gone[cell] = append(gone[cell], f.Micros[i])
		}
	}
	for cell, all := range took {
		if len(all) == 0 {
			continue
		}
		slices.Sort(all)
		slices.Sort(gone[cell])
		left := all[:0]
		for _, micros := range all {
			if minus := gone[cell]; len(minus) > 0 && minus[0] == micros {
				gone[cell] = minus[1:]
				continue
			}
			left = append(left, micros)
		}
		c := &figures[cell]
		for _, micros := range left {
			c.Sum += micros
		}
		if n := float64(len(left)); n > 0 {
			c.Median, c.P90 = left[int(math.Ceil(n*0.5))-1], left[int(math.Ceil(n*0.9))-1]
		}
	}
	return figures
}
