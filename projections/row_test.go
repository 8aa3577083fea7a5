package projections_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"daybook/domain/event"
	"daybook/domain/personal/personaltest"
	"daybook/eventstore"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// TestRowIsTheSameWhateverIsRemembered reads rows as of revisions in any order, and compares them with a fold from the beginning.
func TestRowIsTheSameWhateverIsRemembered(t *testing.T) {
	source := deskLog(t, 3000)
	lengths := make(map[string]eventstore.Revision)
	var streams []string
	for batch, err := range source.Store.Follow(t.Context(), eventstore.Start) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			if _, known := lengths[r.Stream]; !known {
				streams = append(streams, r.Stream)
			}
			lengths[r.Stream] = r.Revision
		}
		if len(batch) == 0 {
			break
		}
	}
	rows := engine.NewRows(source, &personaltest.Keys{}, nil)
	rapid.Check(t, func(t *rapid.T) {
		stream := rapid.SampledFrom(streams).Draw(t, "stream")
		category, id, err := event.ParseStream(stream)
		if err != nil {
			t.Fatal(err)
		}
		revision := eventstore.Revision(rapid.Int64Range(0, int64(lengths[stream])).Draw(t, "revision"))
		got, err := rows.At(context.Background(), category, id, revision, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := rows.AsOf(context.Background(), category, id, func(_ event.Metadata, r eventstore.Revision, _ eventstore.Position) bool { return r <= revision })
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s at %d is\n%+v, folded from the beginning\n%+v", stream, revision, got, want)
		}
	})
}

func TestNoRow(t *testing.T) {
	rows := engine.NewRows(deskLog(t, 10), &personaltest.Keys{}, nil)
	if _, err := rows.At(t.Context(), "ticket", uuid.New(), 0, nil); !errors.Is(err, table.ErrNoRow) {
		t.Errorf("%v", err)
	}
	if _, err := rows.At(t.Context(), "reservation", uuid.New(), 0, nil); err == nil || !strings.Contains(err.Error(), "reservation") {
		t.Errorf("%v", err)
	}
}
