package postgres

import (
	"sync"
	"time"
)

// lookAgain is how long a lost notification can delay a follower.
const lookAgain = time.Second

// News wakes those who wait for events.
type news struct {
	mu   sync.Mutex
	next chan struct{} // closed and renewed when there may be more
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

// listen passes on what other processes notify, until the listener has ended. A listener that cannot connect, or is not
// allowed to, costs no more than lookAgain.
func (s *Store) listen(channel string) {
	defer close(s.heard)
	go s.listener.Listen(channel) // waits for the connection
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case _, ok := <-s.listener.Notify: // nil, too, when the connection is back
			if !ok {
				return
			}
		case <-tick.C:
		}
		s.news.tell()
	}
}
