package work

import (
	"maps"
	"slices"

	"github.com/google/uuid"
)

// requests tells where each request ended in a stream. It is a list of maps, of which only the last is its own: a copy shares the
// others, and so costs little however long the stream is. Later maps come before earlier ones.
type requests []map[uuid.UUID]played

// ownRequests is how many requests a copy may have to copy.
const ownRequests = 64

func (r requests) get(id uuid.UUID) (played, bool) {
	for _, some := range slices.Backward(r) {
		if p, found := some[id]; found {
			return p, true
		}
	}
	return played{}, false
}

// set changes a copy.
func (r requests) set(id uuid.UUID, p played) { r[len(r)-1][id] = p }

// copy returns a copy that can be changed. If the last map is full, it is shared from now on, together with those before it that
// are not much larger.
func (r requests) copy() requests {
	n := len(r)
	if n == 0 {
		return requests{{}}
	}
	c := slices.Clone(r)
	if len(c[n-1]) < ownRequests {
		c[n-1] = maps.Clone(c[n-1])
		return c
	}
	for ; n > 1 && len(c[n-2]) < 8*len(c[n-1]); n-- {
		joined := maps.Clone(c[n-2])
		maps.Copy(joined, c[n-1])
		c[n-2] = joined
	}
	return append(c[:n:n], map[uuid.UUID]played{})
}

// anyOf reports whether one of a batch's requests is among them.
func (r requests) anyOf(batch map[uuid.UUID]int) bool {
	for _, some := range r {
		if len(some) > len(batch) {
			for request := range batch {
				if _, found := some[request]; found {
					return true
				}
			}
			continue
		}
		for request := range some {
			if _, found := batch[request]; found {
				return true
			}
		}
	}
	return false
}
