package work

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// turns lets the goroutines of this process work on a thing one after the other, since their appends would conflict. Other
// processes are not waited for: with them there is a conflict, and the work starts over.
type turns struct {
	mu    sync.Mutex
	taken map[uuid.UUID]*turn
}

type turn struct {
	free    chan struct{} // holds one value while it is nobody's turn
	waiting int           // those whose turn it is, or will be
}

// take waits for a turn, which lasts until end is called.
func (t *turns) take(ctx context.Context, id uuid.UUID) (end func(), err error) {
	t.mu.Lock()
	mine, taken := t.taken[id]
	if !taken {
		if t.taken == nil {
			t.taken = map[uuid.UUID]*turn{}
		}
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.taken[id] = mine
	}
	mine.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if mine.waiting--; mine.waiting == 0 {
			delete(t.taken, id)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
