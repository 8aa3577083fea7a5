package commands

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/contact"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/group"
	"daybook/domain/reservation"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// ErrWriteFirst says that a command of a batch needs a name that an earlier one of the same work gives up.
var ErrWriteFirst = errors.New("what was decided so far must be written first")

// A holder is a kind of thing that has names of its own.
type holder struct {
	holds func(*Work, uuid.UUID) ([]event.Hold, error)
	lapse func(w *Work, id, reservation uuid.UUID, by By) error
}

// holders are the kinds of things that hold names, by category.
var holders = map[string]holder{
	contact.Stream.Category: holderOf(contact.Stream),
	agent.Stream.Category:   holderOf(agent.Stream),
	group.Stream.Category:   holderOf(group.Stream),
	tag.Stream.Category:     holderOf(tag.Stream),
}

func holderOf[S any, E event.Event](kind event.Kind[S, E]) holder {
	return holder{
		holds: func(w *Work, id uuid.UUID) ([]event.Hold, error) {
			l, err := load(w, kind, id)
			if err != nil || !kind.Exists(l.state) {
				return nil, err
			}
			return kind.Holds(l.state), nil
		},
		lapse: func(w *Work, id, reservation uuid.UUID, by By) error {
			l, err := load(w, kind, id)
			if err != nil {
				return err
			}
			switch {
			case len(l.pending) == 0:
			case l.order == lapses: // one is enough
				return nil
			default:
				return ErrWriteFirst
			}
			l.keep(w, lapses, by, kind.Lapse(reservation))
			return nil
		},
	}
}

// hold claims the names that a thing has after a command and had not before, and gives up those that it has no more.
func hold[S any, E event.Event](w *Work, l *loaded[S, E], before, after S, by By) error {
	if l.kind.Holds == nil {
		return nil
	}
	var had []event.Hold
	if l.kind.Exists(before) {
		had = l.kind.Holds(before)
	}
	has := l.kind.Holds(after)
	for _, h := range has {
		if !slices.Contains(had, h) {
			if err := w.claim(h, l.kind.Category, l.id, by); err != nil {
				return err
			}
		}
	}
	for _, h := range had {
		if !slices.Contains(has, h) {
			if err := w.release(h, l.id, by); err != nil {
				return err
			}
		}
	}
	return nil
}

// claim takes a name for a thing. It writes a claim even where an earlier one stands: a claim counts only for a command
// that read its thing before making it (see package reservation).
func (w *Work) claim(h event.Hold, category string, id uuid.UUID, by By) error {
	name := w.desk.Names.NameID(h)
	r, err := load(w, reservation.Stream, name)
	if err != nil {
		return err
	}
	if len(r.pending) > 0 {
		return ErrWriteFirst
	}
	if other := r.state.Holder; other != uuid.Nil && other != id {
		theirs, err := holders[r.state.Category].holds(w, other)
		if err != nil {
			return err
		}
		if slices.Contains(theirs, h) {
			return &domain.Error{Refusal: domain.RefusedConflict, Code: "taken", Message: h.Taken}
		}
		if err := holders[r.state.Category].lapse(w, other, name, by); err != nil {
			return err
		}
	}
	r.keep(w, claims, by, reservation.Claimed{Category: category, Holder: id})
	return nil
}

// release gives a name up, once the thing no longer shows it.
func (w *Work) release(h event.Hold, id uuid.UUID, by By) error {
	r, err := load(w, reservation.Stream, w.desk.Names.NameID(h))
	if err != nil {
		return err
	}
	if len(r.pending) > 0 {
		return ErrWriteFirst
	}
	if r.state.Holder == id {
		r.keep(w, releases, by, reservation.Released{Holder: id})
	}
	return nil
}

// Find returns the thing that has a name. If it is not found, id may be one that claimed the name and was never made, or
// has it no more.
func (w *Work) Find(h event.Hold) (id uuid.UUID, found bool, err error) {
	r, err := load(w, reservation.Stream, w.desk.Names.NameID(h))
	if err != nil || r.state.Holder == uuid.Nil {
		return uuid.Nil, false, err
	}
	theirs, err := holders[r.state.Category].holds(w, r.state.Holder)
	return r.state.Holder, slices.Contains(theirs, h), err
}

// keepOwner sees to it that the desk has an owner, however many of them step down at once: each writes his leaving into
// one roll, and only while another stands there who is an owner indeed.
func (w *Work) keepOwner(id uuid.UUID, before, after any, by By) error {
	was, ok := before.(agent.Agent)
	if !ok {
		return nil
	}
	is := after.(agent.Agent)
	ownedBefore, ownsNow := owner(was), owner(is)
	if ownedBefore == ownsNow {
		return nil
	}
	roll, err := load(w, desk.OwnersStream, desk.OwnersID)
	if err != nil {
		return err
	}
	if ownsNow {
		roll.keep(w, claims, by, desk.OwnerEntered{Agent: id})
		return nil
	}
	for _, other := range roll.state.Agents {
		if other == id {
			continue
		}
		a, err := load(w, agent.Stream, other)
		if err != nil {
			return err
		}
		if owner(a.state) {
			roll.keep(w, claims, by, desk.OwnerStruck{Agent: id})
			return nil
		}
	}
	return domain.Conflict("last-owner", "This is the desk's last owner. Make another agent an owner first.")
}

func owner(a agent.Agent) bool { return agent.Stream.Exists(a) && a.Role == role.Owner }

// Find returns the thing that has a name.
func Find(ctx context.Context, d *Desk, h event.Hold) (id uuid.UUID, found bool, err error) {
	return d.begin(ctx).Find(h)
}
