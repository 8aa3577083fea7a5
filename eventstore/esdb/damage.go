package esdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"daybook/eventstore"
)

// errBuried is the server's refusal of a stream that has a tombstone.
var errBuried = errors.New("the stream was deleted in the server")

// described is the prefix of the stream that holds another one's metadata.
const described = "$$"

// What an administrator can have done to a stream.
const (
	tombstoned  = "EventStoreDB was told to delete the stream for ever, with a tombstone"
	softDeleted = "EventStoreDB was told to delete the stream; until it scavenges, removing $tb from its metadata brings it back"
	limited     = "EventStoreDB was told to forget events of the stream, by %s %s in its metadata; until it scavenges, removing that brings them back"
	truncated   = "EventStoreDB has forgotten the stream's first events"
)

// forgets returns what a stream's metadata tell the server to forget, or "".
func forgets(metadata []byte) string {
	var set map[string]json.RawMessage
	if json.Unmarshal(metadata, &set) != nil { // the server does not heed it either
		return ""
	}
	if string(set["$tb"]) == fmt.Sprint(math.MaxInt64) {
		return softDeleted
	}
	for _, name := range []string{"$tb", "$maxCount", "$maxAge"} {
		if value := string(set[name]); value != "" && value != "0" && value != "null" {
			return fmt.Sprintf(limited, name, value)
		}
	}
	return ""
}

// forgotten returns what the server was told to forget of a stream, or "".
func (n *node) forgotten(ctx context.Context, stream string) (what string, err error) {
	err = n.stream(ctx, streamRequest(described+stream, eventstore.Last, eventstore.Backwards, 1), func(e eventstore.Recorded) error {
		what = forgets(e.Data)
		return nil
	})
	switch {
	case errors.Is(err, eventstore.ErrNotFound):
		return "", nil
	case errors.Is(err, errBuried):
		return tombstoned, nil
	}
	return what, err
}

// forgetsNothing returns a *eventstore.DamageError if the server was told to forget events of a stream.
func (s *Store) forgetsNothing(ctx context.Context, n *node, stream string) error {
	what, err := n.forgotten(ctx, s.prefix+stream)
	if err == nil && what != "" {
		err = damaged(stream, what)
	}
	return err
}

// ask is forgetsNothing in a goroutine of its own. The function that it returns waits for the answer.
func (s *Store) ask(ctx context.Context, n *node, stream string) (answer func() error) {
	answered, err := make(chan struct{}), error(nil)
	go func() {
		defer close(answered)
		err = s.forgetsNothing(ctx, n, stream)
	}()
	return func() error { <-answered; return err }
}

// justRead are streams that were read, and of which the server was then told to forget nothing. For one append, and for a while, that
// is believed.
type justRead struct {
	mu sync.Mutex
	at map[string]time.Time
}

const (
	believedFor   = 5 * time.Second
	justReadLimit = 10_000 // streams
)

func (j *justRead) add(stream string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.at) >= justReadLimit || j.at == nil {
		j.at = map[string]time.Time{}
	}
	j.at[stream] = time.Now()
}

func (j *justRead) take(stream string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, there := j.at[stream]
	delete(j.at, stream)
	return there && time.Since(at) < believedFor
}

// lost returns what was lost of a stream, if anything was, whether or not its metadata tell.
func (s *Store) lost(ctx context.Context, n *node, stream string) (*eventstore.DamageError, error) {
	what, err := n.forgotten(ctx, s.prefix+stream)
	if err != nil {
		return nil, err
	}
	if what != "" {
		return damaged(stream, what), nil
	}
	begins := false
	err = n.stream(ctx, streamRequest(s.prefix+stream, 0, eventstore.Forwards, 1), func(e eventstore.Recorded) error {
		begins = e.Revision == 0
		return nil
	})
	switch {
	case errors.Is(err, eventstore.ErrNotFound): // it has only metadata
		return nil, nil
	case errors.Is(err, errBuried):
		return damaged(stream, tombstoned), nil
	case err != nil || begins:
		return nil, err
	}
	return damaged(stream, truncated), nil
}

func damaged(stream, what string) *eventstore.DamageError {
	return &eventstore.DamageError{Stream: stream, What: what}
}

// jumps says that a stream's revisions have a gap.
func jumps(last, next eventstore.Revision) string {
	return fmt.Sprintf("revision %d follows revision %d", next, last)
}
