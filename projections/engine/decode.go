package engine

import (
	"cmp"
	"errors"

	"daybook/domain/catalogue"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// DecodeWith returns a decoder of the desk's events, which decrypts personal text with the keys. Of an event of an unknown type it
// returns what it can read.
func DecodeWith(keys personal.Keys) func(eventstore.Recorded) (Recorded, error) {
	return func(r eventstore.Recorded) (Recorded, error) {
		at := personal.Place{Stream: r.Stream, Type: r.Type, Event: r.ID}
		e, unknown := catalogue.Decode(at, r.Data, keys)
		if unknown != nil && !errors.Is(unknown, event.ErrUnknown) {
			return Recorded{}, unknown
		}
		meta, err := event.DecodeMetadata(at, r.Meta, keys)
		if err != nil {
			return Recorded{}, cmp.Or(unknown, err)
		}
		category, id, err := event.ParseStream(r.Stream)
		return Recorded{
			Event: e, EventID: r.ID, Category: category, ID: id, Revision: r.Revision, Position: r.Position,
			At: table.At(meta.At), RecordedAt: table.At(r.RecordedAt), Meta: meta,
		}, cmp.Or(unknown, err)
	}
}
