package report

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/readmodels/table"
)

// A cell identifies a row of the report.
type cell struct {
	bucket int
	agent  table.Ref
}

// A tally holds the figures of each cell.
type tally map[cell]*figures

func (t tally) at(c cell) *figures {
	f := t[c]
	if f == nil {
		f = new(figures)
		t[c] = f
	}
	return f
}

// The figures of a cell are held small, because a report can have many.
type figures struct {
	n      [facts]int32     // of each kind of fact, by its number
	micros [presences]int64 // of presence: how long, in all
	took   *durations       // while facts are added; nil: none
	sample *[measures]sample
}

const (
	facts     = 21 // more than the greatest number of a fact
	presences = 4  // kinds of presence, from Worked on
	measures  = 4  // kinds of facts that are measured, from FirstAnswered on
)

// Durations are those of each kind of fact that is measured, in microseconds: the ones that were added, and of those the ones that
// were taken away again.
type durations [measures]struct{ plus, minus []int64 }

// A sample is a Sample in microseconds.
type sample struct{ n, sum, p50, p90 int64 }

// add adds a fact about a ticket.
func (f *figures) add(a *Activity) {
	sign := int32(a.times())
	f.n[a.Fact] += sign
	if a.Anomaly {
		f.n[Odd.Number] += sign
	}
	if !measured(a.Fact) {
		return
	}
	if f.took == nil {
		f.took = new(durations)
	}
	d := &f.took[a.Fact-FirstAnswered.Number]
	if sign > 0 {
		d.plus = append(d.plus, a.Micros)
	} else {
		d.minus = append(d.minus, a.Micros)
	}
}

// settle computes the samples, and forgets the single durations.
func (f *figures) settle() {
	if f.took == nil {
		return
	}
	f.sample = new([measures]sample)
	for i := range f.took {
		f.sample[i] = sampleOf(net(f.took[i].plus, f.took[i].minus))
	}
	f.took = nil
}

// net returns durations without those that were taken away, in order.
func net(plus, minus []int64) []int64 {
	slices.Sort(plus)
	if len(minus) == 0 {
		return plus
	}
	slices.Sort(minus)
	left := plus[:0]
	for _, d := range plus {
		if len(minus) > 0 && minus[0] == d {
			minus = minus[1:]
			continue
		}
		left = append(left, d)
	}
	return left
}

// figure computes a metric: a number, a Sample, or nil if it has no value in the slice that is asked for.
func (m Metric) figure(f *figures, ask *Query) any {
	if ask.Channel != "" && !slices.Contains(m.Slices, ByChannel) || ask.Tag != nil && !slices.Contains(m.Slices, ByTag) {
		return nil
	}
	n := m.Of.Number
	switch m.Kind {
	case Count:
		return int(f.n[n])
	case Time:
		return seconds(f.micros[n-Worked.Number])
	case Duration:
		if f.sample == nil {
			return Sample{}
		}
		return f.sample[n-FirstAnswered.Number].inSeconds()
	}
	hours := seconds(f.micros[0]) / 3600
	if hours == 0 {
		return nil
	}
	return float64(f.n[n]) / hours
}

func seconds(micros int64) float64 { return float64(micros) / 1e6 }

// sampleOf summarises durations, which are in order.
func sampleOf(micros []int64) (s sample) {
	if len(micros) == 0 {
		return s
	}
	rank := func(share float64) int64 { return micros[int(math.Ceil(share*float64(len(micros))))-1] }
	s = sample{n: int64(len(micros)), p50: rank(0.5), p90: rank(0.9)}
	for _, m := range micros {
		s.sum += m
	}
	return s
}

func (s sample) inSeconds() Sample {
	if s.n == 0 {
		return Sample{}
	}
	sum, p50, p90 := seconds(s.sum), seconds(s.p50), seconds(s.p90)
	average := sum / float64(s.n)
	return Sample{N: int(s.n), Sum: &sum, Avg: &average, P50: &p50, P90: &p90}
}

// packs are the packs of some agents with facts of the report's period.
func (ask Query) packs(buckets edges, agents []table.Ref) (w table.Where) {
	w.And("week >= %s", int64(WeekOf(buckets[0].start)))
	w.And("week <= %s", int64(WeekOf(buckets[len(buckets)-1].end-1)))
	ids := make([]string, len(agents))
	for i, id := range agents {
		ids[i] = uuid.UUID(id).String()
	}
	table.OneOf(&w, "agent_id", ids)
	return w
}

// eachPack calls take with each pack that matches.
func eachPack(ctx context.Context, q table.Queryer, t table.Table, w table.Where, take func(agent table.Ref, pack []byte) error) error {
	rows, err := q.QueryxContext(ctx, fmt.Sprintf("SELECT agent_id, facts FROM %q WHERE %s", t.Name, w.String()), w.Args...)
	if err != nil {
		return fmt.Errorf("reading %s: %w", t.Name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var agent table.Ref
		var pack sql.RawBytes
		if err := rows.Scan(&agent, &pack); err != nil {
			return fmt.Errorf("reading %s: %w", t.Name, err)
		}
		if err := take(agent, pack); err != nil {
			return table.NewDamage("the facts in %s: %w", t.Name, err)
		}
	}
	return rows.Err()
}

// agentsIn returns the agents of whom a table has packs, in order. It looks each up in the table's key.
func agentsIn(ctx context.Context, q table.Queryer, t table.Table) (agents []table.Ref, err error) {
	err = sqlx.SelectContext(ctx, q, &agents, fmt.Sprintf(`WITH RECURSIVE each(id) AS (SELECT min(agent_id) FROM %[1]q
		UNION ALL SELECT (SELECT min(agent_id) FROM %[1]q WHERE agent_id > each.id) FROM each WHERE each.id IS NOT NULL)
		SELECT id FROM each WHERE id IS NOT NULL`, t.Name))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", t.Name, err)
	}
	return agents, nil
}
