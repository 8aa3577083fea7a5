package work

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/reservation"
	"daybook/eventstore"
)

// FindThen returns the thing that had a name when the log ended at a position, and reports whether one did.
func FindThen(ctx context.Context, d *Desk, h event.Hold, end eventstore.Position) (id uuid.UUID, found bool, err error) {
	state, err := d.stateThen(ctx, catalogue.Kind(reservation.Stream.Category), h.ID, end)
	if err != nil {
		return uuid.Nil, false, err
	}
	reserved := state.(reservation.Reservation)
	if reserved.Holder == uuid.Nil {
		return uuid.Nil, false, nil
	}
	kind := catalogue.Kind(reserved.Category)
	if state, err = d.stateThen(ctx, kind, reserved.Holder, end); err != nil {
		return uuid.Nil, false, err
	}
	return reserved.Holder, slices.Contains(kind.Holds(state), h), nil
}

// stateThen folds a thing from the events up to a position.
func (d *Desk) stateThen(ctx context.Context, kind *event.Noun, id uuid.UUID, end eventstore.Position) (state any, err error) {
	state = kind.Nothing
	for r, err := range d.Store.Read(ctx, kind.Stream(id), 0, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) || err == nil && r.Position > end {
			break
		}
		if err != nil {
			return nil, err
		}
		e, err := kind.Decode(PlaceOf(r), r.Data, d.Keys)
		if err != nil {
			return nil, err
		}
		state = kind.Apply(state, e)
	}
	return state, nil
}
