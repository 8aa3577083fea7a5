package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"daybook/bench/history"
	"daybook/bench/limit"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

const reportedAgents = 200

var reports = []measure{
	{id: "P10", title: "agent report of a year by month, 200 agents, through the API, p50", reference: "a loop over the same facts as columns in memory", must: 4, aim: 2.5, times: true, start: startP10(openDesk)},
	{id: "P10pg", title: "the same with the read models in PostgreSQL", reference: "a loop over the same facts as columns in memory", must: 4, aim: 2.5, times: true, postgres: true, start: func(s setting) (rounds, error) {
		return startP10(func(dir string) (*desk, error) {
			return openPostgresDesk(dir, s.postgres, "desk_"+uuid.NewString()[:8])
		})(s)
	}},
	{id: "P10d", title: "agent report of one day, desk of ten years, through the API, p50", reference: "desk of one year", must: 1.3, aim: 1.05, times: true, start: startP10d},
}

// startP10 compares the report of a year with a loop over its facts.
func startP10(open func(dir string) (*desk, error)) func(setting) (rounds, error) {
	return func(s setting) (rounds, error) {
		d, err := open(s.dir)
		if err != nil {
			return rounds{}, err
		}
		return d.rounds(func() (r rounds, err error) {
			if r.ours, err = d.reporting(s, s.tickets, 1, "from=2020-01-01&to=2021-01-01&by=month"); err != nil {
				return r, err
			}
			facts, agents, err := d.columns()
			if err != nil {
				return r, err
			}
			var ends []int64
			for month := range 12 {
				ends = append(ends, time.Date(2020, time.Month(month+2), 1, 0, 0, 0, 0, time.UTC).UnixMicro())
			}
			start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
			r.reference = func() (float64, error) {
				return p50(s, []uuid.UUID{uuid.Nil}, func(uuid.UUID) error {
					if figures := facts.Report(start, ends, agents); len(figures) == 0 {
						return errors.New("there are no figures")
					}
					return nil
				})
			}
			return r, nil
		})
	}
}

// startP10d compares the report of a day of a desk with ten years of history with one of a desk with one year.
func startP10d(s setting) (rounds, error) {
	side := func(tickets, years int) func(*desk) (func() (float64, error), error) {
		return func(d *desk) (func() (float64, error), error) {
			return d.reporting(s, tickets, years, "from=2020-07-01&to=2020-07-02&by=day")
		}
	}
	return twoDesks(s, side(s.tickets, 10), side(s.tickets/10, 1))
}

// reporting writes the history of a desk, and returns the time of a report.
func (d *desk) reporting(s setting, tickets, years int, query string) (func() (float64, error), error) {
	if err := history.WriteYears(context.Background(), d.store, d.vault, reportedAgents, tickets, years); err != nil {
		return nil, err
	}
	if err := d.project(); err != nil {
		return nil, err
	}
	url, err := d.serve(d.handler(d.store))
	if err != nil {
		return nil, err
	}
	c := newClient(d.token)
	return func() (float64, error) {
		return p50(s, []uuid.UUID{uuid.Nil}, func(uuid.UUID) error {
			_, err := c.send(http.MethodGet, url+"/v1/reports/agents?"+query, nil)
			return err
		})
	}, nil
}

// columns reads the facts about tickets into memory.
func (d *desk) columns() (facts limit.Facts, agents int, err error) {
	numbers := map[string]int32{}
	err = d.live.Read(func(db *table.DB) error {
		rows, err := db.Readers.Query("SELECT agent_id, facts FROM agent_activity")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var agent string
			var pack []byte
			if err := rows.Scan(&agent, &pack); err != nil {
				return err
			}
			number, known := numbers[agent]
			if !known {
				number = int32(len(numbers))
				numbers[agent] = number
			}
			all, _, err := table.Unpack[report.Activity](pack, nil)
			if err != nil {
				return err
			}
			for _, f := range all {
				sign := int8(1)
				if f.Fact.Sign == report.Retracted {
					sign = -1
				}
				facts.At = append(facts.At, f.Fact.At.Stored())
				facts.Agent = append(facts.Agent, number)
				facts.Kind = append(facts.Kind, uint8(f.Fact.Fact))
				facts.Micros = append(facts.Micros, f.Fact.Micros)
				facts.Sign = append(facts.Sign, sign)
			}
		}
		return rows.Err()
	})
	return facts, len(numbers), err
}
