package journal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/internal/testlog"
	"daybook/journal"
)

// TestMemory imports several journals of one source. The record of imported lines must be read only once, also for lines
// that another player imported.
func TestMemory(t *testing.T) {
	t.Parallel()
	read := 0
	store := &testlog.Watched{Store: testlog.Memory(t), Got: func(r eventstore.Recorded, direction eventstore.Direction) {
		if strings.HasPrefix(r.Stream, desk.ImportStream.Category+"-") && direction == eventstore.Forwards {
			read++
		}
	}}
	d := testlog.Desk(store)
	remembered := new(journal.Memory)
	line := func(n int) string {
		return fmt.Sprintf(`{"id":"%d","at":"2026-01-05T10:00:00Z","by":"system","do":"department.create","department":"d%d","name":"D%d"}`+"\n", n, n, n)
	}
	plays := func(m *journal.Memory, lines string, want desk.Counts) {
		t.Helper()
		p := &journal.Player{Desk: d, Source: "test", Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Now: time.Now, Memory: m}
		if got, err := p.Play(t.Context(), strings.NewReader(lines)); err != nil || got != want {
			t.Errorf("%v: %+v, want %+v", err, got, want)
		}
	}
	const journals = 20
	for i := range journals {
		plays(remembered, line(2*i)+line(2*i+1), desk.Counts{Lines: 2, Accepted: 2})
		plays(remembered, line(2*i), desk.Counts{Lines: 1, Duplicate: 1})
	}
	if read > 2*journals {
		t.Errorf("%d events were read to play %d journals", read, journals)
	}
	plays(nil, line(1000), desk.Counts{Lines: 1, Accepted: 1})
	plays(remembered, line(1000), desk.Counts{Lines: 1, Duplicate: 1})
}
