// Package report computes the agent reports: one file per family of metrics, and what they share: buckets of local time,
// samples, the catalogue.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain"
	"daybook/domain/ticket"
	"daybook/domain/zone"
	"daybook/readmodels/table"
)

// Definition is the version of the metrics' definitions. Raise it when the meaning of a metric changes.
const Definition = 1

// A Query asks for the agent report.
type Query struct {
	From, To   time.Time // local dates, as UTC midnights: From is included, To is not
	Zone       *time.Location
	By         Granularity
	Agent      *uuid.UUID
	Department *uuid.UUID
	Channel    ticket.Channel
	Tag        *uuid.UUID
	Metrics    []string       // empty: all
	KnownAt    table.Position // the cut-off: later events do not count
	Excluded   bool           // include tickets that are spam or deleted
	MaxBuckets int            // a longer period is refused
}

// A Report is the answer to a Query: the query's terms, and flat rows.
type Report struct {
	From       string      `json:"from" doc:"The first day"`
	To         string      `json:"to" doc:"The day after the last"`
	Zone       string      `json:"tz" doc:"The time zone of days and hours"`
	By         Granularity `json:"by" doc:"The length of a bucket"`
	Definition int         `json:"definition" doc:"The version of the metrics' definitions"`
	ZoneData   string      `json:"tz_data" doc:"The version of the time-zone data"`
	KnownAt    string      `json:"known_at" doc:"The position of the log up to which events count; the same query with this position always gives the same answer"`
	Data       []Row       `json:"data" doc:"One row for each agent and bucket in which at least one metric is not zero"`

	Metrics []Metric `json:"-"` // those that each row has
}

// A Row is one agent's metrics in one bucket. In JSON it is one flat object with the metrics by name.
type Row struct {
	AgentID table.Ref
	Agent   string // the name; empty for the row without an agent
	Bucket  string
	Values  []Value
}

// A Value is one metric of a row: a number, a Sample, or nil for a rate without worktime.
type Value struct {
	Metric string
	Value  any
}

// A Sample summarises durations, in seconds. Median and 90th percentile are by nearest rank. Without durations the figures
// are nil.
type Sample struct {
	N   int      `json:"n"`
	Sum *float64 `json:"sum"`
	Avg *float64 `json:"avg"`
	P50 *float64 `json:"p50"`
	P90 *float64 `json:"p90"`
}

// MarshalJSON writes the row as one flat object.
func (r Row) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	field := func(name string, value any) error {
		data, err := json.Marshal(value)
		if b.Len() > 0 {
			b.WriteByte(',')
		} else {
			b.WriteByte('{')
		}
		fmt.Fprintf(&b, "%q:%s", name, data)
		return err
	}
	err := domain.Join(field("agent_id", r.AgentID), field("agent", r.Agent), field("bucket", r.Bucket))
	for _, v := range r.Values {
		if err == nil {
			err = field(v.Metric, v.Value)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), err
}

// Agents computes the agent report from the facts.
func Agents(ctx context.Context, q table.Queryer, ask Query) (Report, error) {
	report := Report{
		From: ask.From.Format(time.DateOnly), To: ask.To.Format(time.DateOnly), Zone: ask.Zone.String(), By: ask.By,
		Definition: Definition, ZoneData: zone.Version, KnownAt: strconv.FormatInt(int64(ask.KnownAt), 10), Data: []Row{},
	}
	buckets, err := MakeBuckets(ctx, ask.From, ask.To, ask.Zone, ask.By, ask.MaxBuckets)
	if err != nil {
		return report, err
	}
	report.Metrics, err = ask.metrics()
	if err != nil || len(buckets) == 0 {
		return report, err
	}
	sums := make(tally)
	if err := sums.count(ctx, q, ask, buckets); err != nil {
		return report, err
	}
	if ask.Channel == "" && ask.Tag == nil { // presence belongs to no ticket
		if err := sums.presence(ctx, q, ask, buckets); err != nil {
			return report, err
		}
	}
	names, err := agentNames(ctx, q, ask.KnownAt)
	if err != nil {
		return report, err
	}
	report.Data = sums.rows(buckets, report.Metrics, names)
	return report, nil
}

// metrics returns the requested metrics in catalogue order.
func (ask Query) metrics() ([]Metric, error) {
	for _, m := range ask.Metrics {
		if !slices.ContainsFunc(Catalogue, func(known Metric) bool { return known.Name == m }) {
			return nil, domain.Invalid("metrics", "metric-unknown", "metrics must be names that /v1/reports/metrics lists.")
		}
	}
	var wanted []Metric
	for _, m := range Catalogue {
		if len(ask.Metrics) == 0 || slices.Contains(ask.Metrics, m.Name) {
			wanted = append(wanted, m)
		}
	}
	return wanted, nil
}

// A cell identifies a row of the report.
type cell struct {
	bucket int
	agent  table.Ref
}

// A tally holds, for each cell, the seconds of each fact by its name. Facts that are only counted have 0 seconds.
type tally map[cell]map[string][]float64

func (t tally) add(p cell, fact string, seconds float64) {
	if t[p] == nil {
		t[p] = make(map[string][]float64)
	}
	t[p][fact] = append(t[p][fact], seconds)
}

// rows returns the rows ordered by bucket, then by the agent's name, the row without an agent last. It omits rows that are all
// zero.
func (t tally) rows(buckets Buckets, metrics []Metric, names map[table.Ref]string) []Row {
	cells := make([]cell, 0, len(t))
	for p := range t {
		cells = append(cells, p)
	}
	slices.SortFunc(cells, func(a, b cell) int {
		nobody := func(p cell) int {
			if p.agent == (table.Ref{}) {
				return 1
			}
			return 0
		}
		if a.bucket != b.bucket {
			return a.bucket - b.bucket
		}
		if n := nobody(a) - nobody(b); n != 0 {
			return n
		}
		if n := strings.Compare(names[a.agent], names[b.agent]); n != 0 {
			return n
		}
		return bytes.Compare(a.agent[:], b.agent[:])
	})
	rows := make([]Row, 0, len(cells))
	for _, p := range cells {
		row := Row{AgentID: p.agent, Agent: names[p.agent], Bucket: buckets[p.bucket].Key}
		for _, m := range metrics {
			row.Values = append(row.Values, Value{m.Name, m.figure(t[p])})
		}
		if slices.ContainsFunc(row.Values, Value.tells) {
			rows = append(rows, row)
		}
	}
	return rows
}

// tells reports whether a value is not zero.
func (v Value) tells() bool {
	switch figure := v.Value.(type) {
	case int:
		return figure > 0
	case float64:
		return figure > 0
	case Sample:
		return figure.N > 0
	}
	return false
}

// figure computes a metric: a number, a Sample, or nil.
func (m Metric) figure(facts map[string][]float64) any {
	own := facts[m.Of.Name]
	switch m.Kind {
	case Count:
		return len(own)
	case Time:
		return sum(own)
	case Duration:
		return NewSample(own)
	}
	hours := sum(facts[Worktime.Of.Name]) / 3600
	if hours == 0 {
		return nil
	}
	return float64(len(own)) / hours
}

// NewSample summarises durations in seconds. It sorts them in place.
func NewSample(seconds []float64) Sample {
	if len(seconds) == 0 {
		return Sample{}
	}
	slices.Sort(seconds)
	rank := func(share float64) *float64 {
		at := seconds[int(math.Ceil(share*float64(len(seconds))))-1]
		return &at
	}
	total := sum(seconds)
	average := total / float64(len(seconds))
	return Sample{N: len(seconds), Sum: &total, Avg: &average, P50: rank(0.5), P90: rank(0.9)}
}

func sum(values []float64) float64 {
	var total float64
	for _, v := range values {
		total += v
	}
	return total
}

// KnownBy returns the position of the last event before the first that was recorded after an instant. So it stays the same even if
// the log's clock went back later, as that of EventStoreDB can.
func KnownBy(ctx context.Context, q table.Queryer, at table.Instant) (table.Position, error) {
	var p table.Position
	err := sqlx.GetContext(ctx, q, &p, `SELECT coalesce(max(position), 0) FROM event_trail
		WHERE position < coalesce((SELECT min(position) FROM event_trail WHERE recorded_at > $1), $2)`, at.Stored(), int64(math.MaxInt64))
	return p, err
}

// LastRecorded returns the latest time at which an event was recorded.
func LastRecorded(ctx context.Context, q table.Queryer) (table.Instant, error) {
	var at table.Instant
	err := sqlx.GetContext(ctx, q, &at, "SELECT max(recorded_at) FROM event_trail")
	return at, err
}
