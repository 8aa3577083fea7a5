package postgres

import (
	"sync"
	"time"
)

// lookAgain is how long a lost notification can delay a subscription.
const lookAgain = time.Second

// news wakes those who wait for events.
type news struct {
	mu   sync.Mutex
	next chan struct{} // closed and replaced when there may be more
}

func newNews() *news { return &news{next: make(chan struct{})} }

// wait returns a channel that closes when there may be more than now.
func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}

// apart is how long notifications are apart, at least, those that are sent and those that are heard: each wakes every process, and
// everybody there who waits for events.
const apart = 10 * time.Millisecond

// tell notifies other processes of what was written. It does so beside the commits, which a NOTIFY within would make wait for each other,
// and once for all that is written in the meantime. One that is lost delays subscriptions by at most lookAgain.
func (s *Store) tell(notify string) {
	defer close(s.told)
	for range s.untold {
		_, _ = s.db.ExecContext(s.closing, notify)
		<-time.After(apart)
	}
}

// listen passes on other processes' notifications, until the store is closed. Without notifications, subscriptions are delayed by at
// most lookAgain.
func (s *Store) listen(hints <-chan struct{}) {
	defer close(s.heard)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-hints:
		case <-tick.C:
		case <-s.closing.Done():
			return
		}
		s.news.tell()
		<-time.After(apart)
	}
}
