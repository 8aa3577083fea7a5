package work

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/reservation"
)

// ErrWriteFirst says that a command of a batch depends on a name that an earlier command of the same Work claims or gives
// up. The earlier commands must be written first.
var ErrWriteFirst = errors.New("the commands before this one must be written first")

// hold claims the names that a command gave a thing, and releases those that it took away, unless it yields them.
func (w *Work) hold(s *stream, before, after any, by By, yields bool) error {
	had, has := s.kind.Holds(before), s.kind.Holds(after)
	var changed []Thing
	for _, h := range slices.Concat(had, has) {
		if slices.Contains(had, h) != slices.Contains(has, h) {
			changed = append(changed, Named(h))
		}
	}
	if err := Ahead(w, changed...); err != nil {
		return err
	}
	for _, h := range has {
		if !slices.Contains(had, h) {
			if err := w.claim(h, s.kind.Category, s.id, by); err != nil {
				return err
			}
		}
	}
	for _, h := range had {
		if !yields && !slices.Contains(has, h) {
			if err := w.release(h, s.id, by); err != nil {
				return err
			}
		}
	}
	return nil
}

// gains reports whether events give the thing of a stream a name.
func (s *stream) gains(events []event.Event) bool {
	after := s.state
	for _, e := range events {
		after = s.kind.Apply(after, e)
	}
	had := s.kind.Holds(s.state)
	return slices.ContainsFunc(s.kind.Holds(after), func(h event.Hold) bool { return !slices.Contains(had, h) })
}

// Named is the reservation of a name, by which Find and claims go.
func Named(h event.Hold) Thing { return On(reservation.Stream, h.ID) }

// reserved loads the reservation of a name.
func (w *Work) reserved(h event.Hold) (s *stream, by reservation.Reservation, err error) {
	s, err = w.load(catalogue.Kind(reservation.Stream.Category), h.ID)
	if err != nil {
		return nil, by, err
	}
	return s, s.state.(reservation.Reservation), nil
}

// claim claims a name for a thing. It writes a claim even if the thing claimed the name before: a claim counts only for a
// command that read the thing before claiming (see package reservation).
func (w *Work) claim(h event.Hold, category string, id uuid.UUID, by By) error {
	r, reserved, err := w.reserved(h)
	if err != nil {
		return err
	}
	if len(r.pending) > 0 {
		return ErrWriteFirst
	}
	if other := reserved.Holder; other != uuid.Nil && other != id {
		theirs, err := w.load(catalogue.Kind(reserved.Category), other)
		if err != nil {
			return err
		}
		if slices.Contains(theirs.kind.Holds(theirs.state), h) {
			return &domain.Error{Refusal: domain.RefusedConflict, Code: "taken", Message: h.Taken}
		}
		if err := w.lapse(theirs, r.id, by); err != nil {
			return err
		}
	}
	r.keep(w, claims, by.bare(), reservation.Claimed{Category: category, Holder: id})
	return nil
}

// lapse ends a claim that the thing of stream s never used. It has a request of its own: the one that needs the name has not asked for
// anything of that thing, and still may.
func (w *Work) lapse(s *stream, reservation uuid.UUID, by By) error {
	by = by.bare()
	by.Request = uuid.NewSHA1(by.Request, reservation[:])
	switch {
	case len(s.pending) == 0:
		s.keep(w, lapses, by, s.kind.Lapse(reservation))
		return nil
	case s.order == lapses: // one is enough
		return nil
	}
	return ErrWriteFirst
}

// release gives up a name that the thing no longer has.
func (w *Work) release(h event.Hold, id uuid.UUID, by By) error {
	r, reserved, err := w.reserved(h)
	if err != nil {
		return err
	}
	if len(r.pending) > 0 {
		return ErrWriteFirst
	}
	if reserved.Holder == id {
		r.keep(w, releases, by.bare(), reservation.Released{Holder: id})
	}
	return nil
}

// Find returns the thing that has a name. If found is false, id may still name a thing that claimed the name but was never
// created, or that no longer has it.
func (w *Work) Find(h event.Hold) (id uuid.UUID, found bool, err error) {
	_, reserved, err := w.reserved(h)
	if err != nil || reserved.Holder == uuid.Nil {
		return uuid.Nil, false, err
	}
	theirs, err := w.load(catalogue.Kind(reserved.Category), reserved.Holder)
	if err != nil {
		return reserved.Holder, false, err
	}
	return reserved.Holder, slices.Contains(theirs.kind.Holds(theirs.state), h), nil
}

// guard maintains a kind's roll. A thing may leave the roll only while another thing on it still belongs there.
func (w *Work) guard(s *stream, before, after any, by By) error {
	roll := s.kind.Roll
	if roll == nil {
		return nil
	}
	stood, stands := roll.Stands(before), roll.Stands(after)
	if stood == stands {
		return nil
	}
	listed, err := w.load(catalogue.Kind(roll.Category), roll.ID)
	if err != nil {
		return err
	}
	if stands {
		listed.keep(w, claims, by.bare(), roll.Enter(s.id))
		return nil
	}
	for _, id := range roll.Listed(listed.state) {
		if id == s.id {
			continue
		}
		other, err := w.load(s.kind, id)
		if err != nil {
			return err
		}
		if roll.Stands(other.state) {
			listed.keep(w, claims, by.bare(), roll.Strike(s.id))
			return nil
		}
	}
	return roll.Empty
}
