package work

import (
	"github.com/google/uuid"

	"daybook/domain/event"
)

// later is a stored event whose turn has not come.
type later struct {
	event   event.Event
	request uuid.UUID
}

// Batch says that these requests are played in order, and that a part of what they come to may have been written before a
// crash. It comes before anything else in a work.
func (w *Work) Batch(requests []uuid.UUID) {
	w.batch = make(map[uuid.UUID]int, len(requests))
	for i, r := range requests {
		if _, twice := w.batch[r]; !twice { // it is played where it comes first
			w.batch[r] = i
		}
	}
}

// Turn says which request of the batch is next.
func (w *Work) Turn(request uuid.UUID) { w.turn = w.batch[request] }

// playedBefore reports whether a stream holds something of the batch.
func (w *Work) playedBefore(requests map[uuid.UUID]played) bool {
	for request := range requests {
		if _, ours := w.batch[request]; ours {
			return true
		}
	}
	return false
}

// advance folds what an earlier try stored, as far as the batch has come: up to the request whose turn it is, and for names
// that one too, since whoever claimed a name and was not written goes on as its holder, unless somebody else came.
func (s *stream) advance(w *Work) {
	for len(s.later) > 0 {
		turn, ours := w.batch[s.later[0].request]
		if ours && (turn > w.turn || turn == w.turn && s.kind.Order != event.First) {
			return
		}
		s.state = s.kind.Apply(s.state, s.later[0].event)
		s.later = s.later[1:]
	}
}

// catchUp folds what an earlier try stored, up to the end of a request; all of it for uuid.Nil.
func (s *stream) catchUp(request uuid.UUID) {
	end := len(s.later)
	for i, e := range s.later {
		if e.request == request {
			end = i + 1
		} else if end <= i {
			break
		}
	}
	for _, e := range s.later[:end] {
		s.state = s.kind.Apply(s.state, e.event)
	}
	s.later = s.later[end:]
}
