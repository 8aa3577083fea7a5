package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"daybook/bench/lists"
	"daybook/readmodels/table"
)

var listed = []measure{
	{id: "P16", title: "every list, filter, two filters, order and search of contacts and tickets, at 1 M rows of each, p50 of the questions", reference: "at 10 k", must: 3, aim: 1.3, times: true, start: startP16(0.5, false)},
	{id: "P16d", title: "the same, p99 of the questions", reference: "at 10 k", must: 3, aim: 1.3, times: true, start: startP16(0.99, false)},
	{id: "P16pg", title: "P16 with the read models in PostgreSQL", reference: "at 10 k", must: 3, aim: 1.3, times: true, postgres: true, start: startP16(0.5, true)},
	{id: "P16dpg", title: "the same, p99 of the questions", reference: "at 10 k", must: 3, aim: 1.3, times: true, postgres: true, start: startP16(0.99, true)},
}

// aRound is how many questions are asked in a round. The next one asks others.
const aRound = 400

// startP16 measures a quantile of how long questions take.
func startP16(quantile float64, inPostgres bool) func(setting) (rounds, error) {
	return func(s setting) (r rounds, err error) {
		large := lists.Size{Contacts: s.contacts, Tickets: s.tickets}
		var stops []func() error
		r.stop = func() (err error) {
			for _, stop := range slices.Backward(stops) {
				err = errors.Join(err, stop())
			}
			return err
		}
		side := func(of lists.Size) (func() (float64, error), error) {
			home, err := listsHome(s, inPostgres)
			if err != nil {
				return nil, err
			}
			stops = append(stops, home.Close)
			db, _, err := home.Create(context.Background())
			if err != nil {
				return nil, err
			}
			stops = append(stops, db.Close)
			if err := lists.Fill(context.Background(), db, of); err != nil {
				return nil, err
			}
			questions := asked(of)
			begin := 0
			return func() (float64, error) {
				times := make([]float64, aRound)
				for i := range times {
					var err error
					if times[i], err = timed(db, questions[(begin+i)%len(questions)]); err != nil {
						return 0, err
					}
				}
				begin += aRound
				slices.Sort(times)
				return times[int(quantile*float64(len(times)-1))], nil
			}, nil
		}
		r.ours, err = side(large)
		if err == nil {
			r.reference, err = side(lists.Size{Contacts: s.contacts / 100, Tickets: s.tickets / 100})
		}
		if err != nil {
			return rounds{}, errors.Join(err, r.stop())
		}
		return r, nil
	}
}

func listsHome(s setting, inPostgres bool) (table.Home, error) {
	if inPostgres {
		return table.NewSchemas(s.postgres, table.SchemasOptions{Name: "lists_" + uuid.NewString()[:8]})
	}
	dir := filepath.Join(s.dir, uuid.NewString())
	return table.Folder(dir), os.Mkdir(dir, 0o700)
}

// asked returns the questions in an order that mixes them, and that is the same for each size.
func asked(of lists.Size) []lists.Question {
	all := of.Questions()
	mixed := make([]lists.Question, len(all))
	for i := range all {
		mixed[i] = all[i*7919%len(all)]
	}
	return mixed
}

// timed returns the median of how long a question takes, in seconds.
func timed(db *table.DB, q lists.Question) (float64, error) {
	var took [3]float64
	for i := range took {
		began := time.Now()
		if _, _, err := q.Ask(context.Background(), db.Readers, table.Page{}); err != nil {
			return 0, fmt.Errorf("%s: %w", q.Name, err)
		}
		took[i] = time.Since(began).Seconds()
	}
	slices.Sort(took[:])
	return took[1], nil
}
