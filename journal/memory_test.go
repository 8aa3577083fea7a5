package journal_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"daybook/commands/work"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/personal/personaltest"
	"daybook/eventstore"
	"daybook/journal"
)

// A watched store counts the events that are read from import streams.
type watched struct {
	eventstore.Store
	read int
}

func (w *watched) Read(ctx context.Context, stream string, from eventstore.Revision, direction eventstore.Direction, limit int) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range w.Store.Read(ctx, stream, from, direction, limit) {
			if err == nil && strings.HasPrefix(stream, desk.ImportStream.Category+"-") && direction == eventstore.Forwards {
				w.read++
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// TestMemory imports several journals of one source. The record of imported lines must be read only once, also for lines
// that another player imported.
func TestMemory(t *testing.T) {
	t.Parallel()
	store := &watched{Store: memory(t)}
	defer store.Close()
	d := &work.Desk{Store: store, Keys: &personaltest.Keys{}, Names: names{}}
	remembered := new(journal.Memory)
	line := func(n int) string {
		return fmt.Sprintf(`{"id":"%d","at":"2026-01-05T10:00:00Z","by":"system","do":"department.create","department":"d%d","name":"D%d"}`+"\n", n, n, n)
	}
	plays := func(m *journal.Memory, lines string, want desk.Counts) {
		t.Helper()
		p := &journal.Player{Desk: d, Source: "test", Actor: event.TheSystem, Now: time.Now, Memory: m}
		if got, err := p.Play(t.Context(), strings.NewReader(lines)); err != nil || got != want {
			t.Errorf("%v: %+v, want %+v", err, got, want)
		}
	}
	const journals = 20
	for i := range journals {
		plays(remembered, line(2*i)+line(2*i+1), desk.Counts{Lines: 2, Accepted: 2})
		plays(remembered, line(2*i), desk.Counts{Lines: 1, Duplicate: 1})
	}
	if store.read > 2*journals {
		t.Errorf("%d events were read to play %d journals", store.read, journals)
	}
	plays(nil, line(1000), desk.Counts{Lines: 1, Accepted: 1})
	plays(remembered, line(1000), desk.Counts{Lines: 1, Duplicate: 1})
}
