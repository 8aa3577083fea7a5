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
	"time"

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
	Agent      *table.Ref // nil: all; the nil id: none
	Department *table.Ref
	Channel    ticket.Channel
	Tag        *table.Ref
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
	Anomalies  int64       `json:"anomalies" doc:"How often, in the period, something was recorded that cannot be or hardly so: a sign-out without a session, a session of more than 24 hours, a break of an agent who is not signed in, an end before its beginning. Such spans count as 0 seconds, long sessions as they are"`
	Incomplete bool        `json:"incomplete" doc:"Whether an event up to known_at could not be projected, so that figures may lack it; GET /v1/projections tells which"`
	Data       []Row       `json:"data" doc:"One row for each agent and bucket in which at least one metric is not zero"`

	Metrics []Metric `json:"-"` // those that each row has
}

// A Row is one agent's metrics in one bucket. In JSON it is one flat object with the metrics by name.
type Row struct {
	AgentID table.Ref
	Agent   string // the name; empty for the row without an agent
	Bucket  string

	figures *figures
	metrics []Metric
	ask     *Query
}

// Values yields the metrics of the row, in the order of the catalogue.
func (r Row) Values(yield func(Value) bool) {
	for _, m := range r.metrics {
		if !yield(Value{m.Name, m.figure(r.figures, r.ask)}) {
			return
		}
	}
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
	for v := range r.Values {
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
	all, edges := make(tally), buckets.edges()
	if ask.Channel == "" && ask.Tag == nil && (ask.Department == nil || *ask.Department != table.Ref{}) { // presence belongs to no ticket
		if err := all.presence(ctx, q, ask, edges); err != nil {
			return report, err
		}
	}
	agents, err := ask.agents(ctx, q, ActivityTable)
	if err != nil {
		return report, err
	}
	for some := range slices.Chunk(agents, agentsAtOnce) {
		if err := all.activity(ctx, q, ask, edges, some); err != nil {
			return report, err
		}
	}
	if report.Incomplete, err = incomplete(ctx, q, ask.KnownAt); err != nil {
		return report, err
	}
	names, err := agentNames(ctx, q, ask.KnownAt)
	if err != nil {
		return report, err
	}
	report.Data = all.rows(buckets, report.Metrics, names, &ask)
	for _, f := range all {
		report.Anomalies += int64(f.n[Odd.Number])
	}
	return report, nil
}

// agents returns the agents whose facts in a table are asked for.
func (ask Query) agents(ctx context.Context, q table.Queryer, t table.Table) ([]table.Ref, error) {
	if ask.Agent != nil {
		return []table.Ref{*ask.Agent}, nil
	}
	return agentsIn(ctx, q, t)
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

// rows returns the rows ordered by bucket, then by the agent's id, the row without an agent last. It omits rows that are all zero.
func (t tally) rows(buckets Buckets, metrics []Metric, names map[table.Ref]string, ask *Query) []Row {
	cells := make([]cell, 0, len(t))
	for p := range t {
		cells = append(cells, p)
	}
	slices.SortFunc(cells, func(a, b cell) int {
		nobody := table.Ref{}
		switch {
		case a.bucket != b.bucket || a.agent == b.agent:
			return a.bucket - b.bucket
		case a.agent == nobody:
			return 1
		case b.agent == nobody:
			return -1
		}
		return bytes.Compare(a.agent[:], b.agent[:])
	})
	rows := make([]Row, 0, len(cells))
	for _, p := range cells {
		row := Row{p.agent, names[p.agent], buckets[p.bucket].Key, t[p], metrics, ask}
		for v := range row.Values {
			if v.tells() {
				rows = append(rows, row)
				break
			}
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

// incomplete reports whether an event up to a position is parked that reports would need.
func incomplete(ctx context.Context, q table.Queryer, known table.Position) (is bool, err error) {
	err = sqlx.GetContext(ctx, q, &is, "SELECT count(*) > 0 FROM parked WHERE position <= $1 AND projection IN ('agent_reports', 'agents')", int64(known))
	return is, err
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
