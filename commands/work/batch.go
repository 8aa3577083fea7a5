package work

import (
	"time"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/eventstore"
)

// later is a stored event that the batch has not reached yet.
type later struct {
	event   event.Event
	at      time.Time
	request uuid.UUID
}

// Batch announces that these requests are carried out in this order, and that some of their events may have been written
// before a crash, but none up to a position. Call it before anything else in a Work.
func (w *Work) Batch(requests []uuid.UUID, since eventstore.Position) {
	w.since = since
	w.batch = make(map[uuid.UUID]int, len(requests))
	for i, r := range requests {
		if _, twice := w.batch[r]; !twice { // the first one counts
			w.batch[r] = i
		}
	}
}

// Turn says that a request of the batch comes next.
func (w *Work) Turn(request uuid.UUID) { w.turn = w.batch[request] }

// advance folds events that an earlier try stored, up to the current request of the batch. For claims of names it folds
// those of the current request too: a thing that claimed a name before the crash still holds it, unless another claimed it
// since.
func (s *stream) advance(w *Work) {
	for len(s.later) > 0 {
		turn, ours := w.batch[s.later[0].request]
		if ours && (turn > w.turn || turn == w.turn && s.kind.Order != event.First) {
			return
		}
		s.apply(s.later[0].event, s.later[0].at)
		s.later = s.later[1:]
	}
}

// catchUp folds events that an earlier try stored, up to the end of a request; all of them for uuid.Nil.
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
		s.apply(e.event, e.at)
	}
	s.later = s.later[end:]
}
