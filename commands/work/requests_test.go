package work

import (
	"maps"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestRequests compares copies of requests, of which some are changed, with plain maps.
func TestRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type pair struct {
			shared requests
			plain  map[uuid.UUID]played
		}
		all := []pair{{nil, map[uuid.UUID]played{}}}
		ids := make([]uuid.UUID, 300)
		for i := range ids {
			ids[i] = uuid.UUID{byte(i), byte(i >> 8)}
		}
		for range rapid.IntRange(1, 60).Draw(t, "copies") {
			from := rapid.SampledFrom(all).Draw(t, "from")
			next := pair{from.shared.copy(), maps.Clone(from.plain)}
			for range rapid.IntRange(0, 3*ownRequests).Draw(t, "changes") {
				id, n := rapid.SampledFrom(ids).Draw(t, "id"), rapid.IntRange(1, 1000).Draw(t, "n")
				next.shared.set(id, played{events: n})
				next.plain[id] = played{events: n}
			}
			all = append(all, next)
		}
		for _, p := range all {
			for _, id := range ids {
				got, known := p.shared.get(id)
				if want, is := p.plain[id]; got != want || known != is {
					t.Fatalf("%v: %+v, %v; want %+v, %v", id, got, known, want, is)
				}
			}
			some := map[uuid.UUID]int{rapid.SampledFrom(ids).Draw(t, "asked"): 0}
			want := false
			for id := range some {
				_, want = p.plain[id]
			}
			if p.shared.anyOf(some) != want {
				t.Fatalf("any of %v: %v", some, !want)
			}
		}
	})
}

// TestCopiesAreCheap copies the requests of a long stream once for each: only few of them are copied each time.
func TestCopiesAreCheap(t *testing.T) {
	var r requests
	copied := 0
	const n = 50_000
	for i := range n {
		before := len(r)
		r = r.copy()
		if len(r) <= before && before > 0 {
			copied += len(r[len(r)-1])
		}
		r.set(uuid.UUID{byte(i), byte(i >> 8), byte(i >> 16)}, played{events: 1})
	}
	if len(r) > 12 {
		t.Errorf("%d maps must be looked into", len(r))
	}
	if copied > n*ownRequests {
		t.Errorf("%d were copied for %d", copied, n)
	}
}
