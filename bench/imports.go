package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/journal"
	"daybook/readmodels/table"
)

var imports = []measure{
	{id: "P15", title: "import of a journal, a tenth new contacts, lines/s", reference: "rebuild of all read models, as in P6, events/s", must: 0.5, aim: 0.8, start: startP15},
	{id: "P15pg", title: "import of a journal, a tenth new contacts, log and read models in PostgreSQL, lines/s", reference: "the same with both embedded", must: 0.5, aim: 0.8, postgres: true, start: startP15pg},
}

// startP15 compares imports, while they are projected, with rebuilds.
func startP15(s setting) (rounds, error) {
	return twoDesks(s,
		func(d *desk) (func() (float64, error), error) { return d.importing, d.project() },
		func(d *desk) (func() (float64, error), error) { return d.rebuilding(table.Folder(d.dir), s.events) })
}

// startP15pg compares imports into a desk in PostgreSQL with those into an embedded one, while both are projected.
func startP15pg(s setting) (rounds, error) {
	embedded, d, err := bothDesks(s)
	if err != nil {
		return rounds{}, err
	}
	return embedded.rounds(func() (r rounds, err error) {
		if err := errors.Join(embedded.project(), d.project()); err != nil {
			return r, err
		}
		r.ours, r.reference = d.importing, embedded.importing
		return r, nil
	})
}

// importing imports a journal from a source of its own, and returns how many lines it imported per second. It waits until they are
// projected, so that the other side of the round has the machine to itself.
func (d *desk) importing() (float64, error) {
	const lines = 10_000
	source := "bench-" + uuid.NewString()[:8]
	var text bytes.Buffer
	writeJournal(&text, source, lines)
	player := &journal.Player{
		Desk: &work.Desk{Store: d.store, Keys: d.vault, Names: d.vault}, Source: source, Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Now: time.Now,
	}
	began := time.Now()
	counts, err := player.Play(context.Background(), &text)
	rate := lines / time.Since(began).Seconds()
	if err == nil && counts.Accepted != lines {
		err = fmt.Errorf("imported %+v", counts)
	}
	head, failed := d.store.Head(context.Background())
	if err = errors.Join(err, failed); err == nil {
		err = d.live.Wait(context.Background(), head)
	}
	return rate, err
}

// writeJournal writes a journal of tickets, each of a new contact, with ten lines for each.
func writeJournal(to io.Writer, source string, lines int) {
	at := time.Date(2024, 1, 1, 8, 0, 0, 0, time.UTC)
	for i := range lines {
		at = at.Add(time.Minute)
		n := i / 10
		does := fmt.Sprintf(`"by":"system","do":"ticket.note","ticket":"t%d","body":"Asked the carrier where parcel %d is, who had no answer yet."`, n, i)
		switch i % 10 {
		case 0:
			does = fmt.Sprintf(`"by":"system","do":"contact.register","contact":"c%d","name":"Customer %d","emails":["c%d.%s@customers.example"]`, n, n, n, source)
		case 1:
			does = fmt.Sprintf(`"by":"contact:c%d","do":"ticket.open","ticket":"t%d","contact":"c%d","channel":"email","subject":"Parcel %d","body":"It has not come, and I have waited for a week."`, n, n, n, n)
		case 4, 7:
			does = fmt.Sprintf(`"by":"contact","do":"ticket.receive","ticket":"t%d","body":"Has anything happened since?"`, n)
		case 9:
			does = fmt.Sprintf(`"by":"system","do":"ticket.resolve","ticket":"t%d"`, n)
		}
		fmt.Fprintf(to, `{"id":"%d","at":%q,%s}`+"\n", i, at.Format(time.RFC3339), does)
	}
}
