package engine

import (
	"testing"

	"daybook/eventstore"
)

// TestFitting: what is projected in one transaction is limited by bytes, but for an event that is larger by itself. // 8.1
func TestFitting(t *testing.T) {
	sized := func(sizes ...int) (events []entry) {
		for _, n := range sizes {
			events = append(events, entry{size: n})
		}
		return events
	}
	for _, c := range []struct {
		events  []entry
		n, want int
	}{
		{nil, 5, 0},
		{sized(1, 1, 1), 2, 2},
		{sized(1, 1, 1), 5, 3},
		{sized(batchBytes, 1), 5, 1},
		{sized(batchBytes-1, 1, 1), 5, 2},
		{sized(3*batchBytes, 1), 5, 1},
		{sized(1, 3*batchBytes), 5, 1},
	} {
		if got := fitting(c.events, c.n); got != c.want {
			t.Errorf("of %d events, at most %d: %d, want %d", len(c.events), c.n, got, c.want)
		}
	}
	for at, sizes := 0, []int{1, batchBytes, batchBytes, 1, 1, 2 * batchBytes, 1}; at < len(sizes); {
		pages := make(chan page, 1)
		events := sized(sizes[at:]...)
		for i := range events {
			events[i].Position = eventstore.Position(at + i + 1)
		}
		pages <- page{entries: events}
		batch, err := (&feed{pages: pages}).next(t.Context(), 100, eventstore.Position(len(sizes)))
		if err != nil || len(batch) == 0 || int(batch[0].Position) != at+1 {
			t.Fatalf("after %d: %d events, %v", at, len(batch), err)
		}
		at += len(batch)
	}
}
