package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
	"daybook/domain/ticket"
	"daybook/domain/zone"
	"daybook/eventstore"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// ReportQuery are the parameters of the report on all agents.
type ReportQuery struct {
	ReportTerms
	Agent string `query:"agent" doc:"Only this agent, by id; none: only what no agent did"`
}

// ReportTerms are the parameters that the reports on all agents and on one agent share.
type ReportTerms struct {
	Reading
	Accepting
	Mark       bool               `query:"bom" doc:"Begin a CSV table with a byte order mark, by which spreadsheets know that it is UTF-8"`
	From       string             `query:"from" format:"date" required:"true" doc:"First day of the report"`
	To         string             `query:"to" format:"date" required:"true" doc:"Day after the last day of the report"`
	Zone       string             `query:"tz" default:"UTC" doc:"IANA time zone of days and hours"`
	By         report.Granularity `query:"by" default:"day" doc:"Length of a bucket"`
	Department string             `query:"department" doc:"Only tickets that were in this department at the time, and services that were on there; by id. none: only tickets that were in none"`
	Channel    ticket.Channel     `query:"channel" doc:"Only tickets of this channel"`
	Tag        string             `query:"tag" doc:"Only tickets that had this tag at the time, by id or by the name that it had at known_at; none: only tickets that had none"`
	Metrics    []string           `query:"metrics" doc:"Metrics to return, separated by commas; default all"`
	KnownAt    string             `query:"known_at" doc:"Counts only what had been recorded at a position of the log, or by an instant (RFC 3339)"`
	Definition int                `query:"definition" default:"1" minimum:"1" maximum:"1" doc:"Version of the metrics' definitions"`
	Excluded   bool               `query:"excluded" doc:"Include tickets that are spam or deleted"`
}

// Reported is a report, as JSON or as CSV.
type Reported struct {
	Position    string `header:"Daybook-Position"`
	StaleBy     string `header:"Daybook-Stale-By"`
	Vary        string `header:"Vary"`
	ContentType string `header:"Content-Type"`
	Body        any
}

func (s *server) reports() {
	op := describe(route{http.MethodGet, "/v1/reports/agents", "Reports", "getAgentReport", "Report the performance of agents. Accept: text/csv asks for a CSV table instead of JSON", role.ReportsRead})
	op.Middlewares = huma.Middlewares{s.inTurn(s.Limits.Reports)}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The report, as JSON or CSV",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reportType, true, "Report")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
	huma.Register(s.api, op, func(ctx context.Context, in *ReportQuery) (*Reported, error) {
		return s.agentReport(ctx, in.ReportTerms, in.Agent, nil)
	})
	one := op
	one.Responses = maps.Clone(op.Responses)
	one.Path, one.OperationID, one.Summary = op.Path+"/{id}", "getReportOfAgent", "Report the performance of one agent"
	huma.Register(s.api, one, func(ctx context.Context, in *struct {
		ID uuid.UUID `path:"id" format:"uuid" doc:"Id of the agent"`
		ReportTerms
	}) (*Reported, error) {
		return s.agentReport(ctx, in.ReportTerms, "", &in.ID)
	})
	table := op
	table.Responses = map[string]*huma.Response{"200": {
		Description: "The report as CSV", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	table.Path, table.OperationID, table.Summary = op.Path+".csv", "getAgentReportCSV", "Report the performance of agents as CSV"
	huma.Register(s.api, table, func(ctx context.Context, in *ReportQuery) (*Reported, error) {
		in.accept = "text/csv"
		return s.agentReport(ctx, in.ReportTerms, in.Agent, nil)
	})
	huma.Register(s.api, describe(route{http.MethodGet, "/v1/reports/metrics", "Reports", "listMetrics", "List the metrics and their definitions", role.ReportsRead}), func(ctx context.Context, _ *struct{}) (*struct{ Body List[report.Metric] }, error) {
		if err := s.may(ctx, role.ReportsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body List[report.Metric] }{List[report.Metric]{Data: report.Catalogue}}, nil
	})
}

// inTurn lets so many requests at a time be computed, until their answers are encoded. The others wait, or leave.
func (s *server) inTurn(most int) func(huma.Context, func(huma.Context)) {
	turns := make(chan struct{}, most)
	return func(ctx huma.Context, next func(huma.Context)) {
		select {
		case turns <- struct{}{}:
		default:
			s.exceeded(inTurn)
			select {
			case turns <- struct{}{}:
			case <-ctx.Context().Done():
				return
			}
		}
		end := sync.OnceFunc(func() { <-turns })
		defer end()
		next(huma.WithValue(ctx, turn{}, end))
	}
}

// turn is the key of the function that ends a request's turn, in its context.
type turn struct{}

// endTurn ends the turn of a request, if it has one.
func endTurn(ctx context.Context) {
	if end, has := ctx.Value(turn{}).(func()); has {
		end()
	}
}

var reportType = reflect.TypeFor[report.Report]()

// agentReport reports on the agent that the path or the query names, or on all.
func (s *server) agentReport(ctx context.Context, in ReportTerms, inQuery string, inPath *uuid.UUID) (*Reported, error) {
	ask, err := s.reportQuery(in)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	known, err := s.cutOff(ctx, in)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	answer, err := readAt(ctx, s, in.Reading, role.ReportsRead, func(q table.Queryer, now eventstore.Position) (report.Report, error) {
		if inPath != nil {
			ask.Agent = (*table.Ref)(inPath)
			if err := s.things[agent.Stream.Category].must(ctx, q, *inPath); err != nil {
				return report.Report{}, err
			}
		}
		if ask.KnownAt, err = known(q, now); err != nil {
			return report.Report{}, err
		}
		tagged, err := s.taggedThen(ctx, in, ask.KnownAt)
		if err != nil {
			return report.Report{}, err
		}
		err = s.refer(ctx, q,
			reference{"agent", "agent", inQuery, &ask.Agent}, reference{"tag", "tag/tickets", tagged, &ask.Tag},
			reference{"department", "department", in.Department, &ask.Department})
		if err != nil {
			return report.Report{}, err
		}
		return report.Agents(ctx, q, ask)
	})
	if err != nil {
		return nil, err
	}
	reported := &Reported{Position: answer.Position, StaleBy: answer.StaleBy, Vary: "Accept", ContentType: prefers(in.accept, "application/json", "text/csv"), Body: answer.Body}
	if reported.ContentType == "text/csv" {
		table := reportCSV(answer.Body)
		if in.Mark {
			table = append(csvTable("\ufeff"), table...)
		}
		reported.ContentType, reported.Body = "text/csv; charset=utf-8", table
	}
	return reported, nil
}

// taggedThen is the tag that a report asks for; a name is that of the tag which had it at the cut-off, by its id.
func (s *server) taggedThen(ctx context.Context, in ReportTerms, known table.Position) (string, error) {
	if _, err := domain.ParseID(in.Tag); in.KnownAt == "" || in.Tag == "" || in.Tag == none || err == nil {
		return in.Tag, nil
	}
	id, found, err := work.FindThen(ctx, s.Desk, tag.Named(s.Desk.Names, tag.Tickets, in.Tag), eventstore.Position(known))
	if err == nil && !found {
		err = domain.Invalid("tag", tag.Stream.Unknown.Code, "%s", tag.Stream.Unknown.Message)
	}
	return id.String(), err
}

func (s *server) reportQuery(in ReportTerms) (ask report.Query, err error) {
	ask = report.Query{By: in.By, Channel: in.Channel, Metrics: in.Metrics, Excluded: in.Excluded, MaxBuckets: s.Limits.Buckets}
	var fromErr, toErr, zoneErr error
	ask.From, fromErr = date("from", in.From)
	ask.To, toErr = date("to", in.To)
	if _, zoneErr = profile.Zone("tz", in.Zone); zoneErr == nil {
		ask.Zone, zoneErr = zone.Load(in.Zone)
	}
	return ask, domain.Join(fromErr, toErr, zoneErr)
}

// date parses a date of the years that instants have.
func date(field, text string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, text)
	if err != nil || day.Year() < domain.FirstYear || day.Year() > domain.LastYear {
		err = domain.Invalid(field, "date-malformed", "%s must be a date from 1900 to 2200, such as 2014-02-01.", field)
	}
	return day, err
}

// cutOff returns a function that finds the position of known_at; without known_at, that of the read models. It first sees
// to it that nothing more is recorded by then, and waits until the read models have all that was, so that the same known_at
// always gives the same position.
func (s *server) cutOff(ctx context.Context, in ReportTerms) (func(table.Queryer, eventstore.Position) (table.Position, error), error) {
	if in.KnownAt == "" {
		return func(_ table.Queryer, now eventstore.Position) (table.Position, error) {
			return table.Position(now), nil
		}, nil
	}
	at, p, err := moment("known_at", in.KnownAt)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		err = s.MustHave(ctx, "known_at", p)
	} else {
		p, err = s.Desk.Store.Settle(ctx, at)
	}
	future := errors.Is(err, eventstore.ErrFuture)
	if err != nil && !future {
		return nil, err
	}
	patience, _ := preferences(in.Prefer)
	there, err := s.Reach(ctx, p, patience)
	if err == nil && !there {
		err = retryable("not-yet", "The read models have not caught up with known_at yet. Try again in a moment.")
	}
	return func(q table.Queryer, _ eventstore.Position) (table.Position, error) {
		if at.IsZero() {
			return table.Position(p), nil
		}
		if future {
			if err := s.mustHaveBeen(ctx, q, at); err != nil {
				return 0, err
			}
		}
		return report.KnownBy(ctx, q, table.At(at))
	}, err
}

// mustHaveBeen returns an error for an instant that the log has yet to reach, unless it was there before its clock went back.
func (s *server) mustHaveBeen(ctx context.Context, q table.Queryer, at time.Time) error {
	last, err := report.LastRecorded(ctx, q)
	switch {
	case err != nil || last >= table.At(at):
		return err
	case !at.After(s.Now()): // the log's clock is another machine's
		return retryable("not-yet", "The log's clock has not reached known_at yet. Try again in a moment.")
	}
	return parameter("known_at", "instant-in-future", "known_at must not be in the future. Use an instant up to now.")
}

// A csvTable is an answer in CSV.
type csvTable []byte

// reportCSV returns a report as CSV, with one column for each figure. Text that a spreadsheet could take for a formula is
// quoted.
func reportCSV(r report.Report) csvTable {
	var b strings.Builder
	w := csv.NewWriter(&b)
	head := []string{"bucket", "agent_id", "agent"}
	for _, m := range r.Metrics {
		name := m.Name
		if m.Kind == report.Duration {
			head = append(head, name+"_n", name+"_sum", name+"_avg", name+"_p50", name+"_p90")
		} else {
			head = append(head, name)
		}
	}
	w.Write(head)
	for _, row := range r.Data {
		line := []string{row.Bucket, idOrNothing(row.AgentID), unformula(row.Agent)}
		for v := range row.Values {
			if sample, ok := v.Value.(report.Sample); ok {
				line = append(line, strconv.Itoa(sample.N), number(sample.Sum), number(sample.Avg), number(sample.P50), number(sample.P90))
			} else {
				line = append(line, figure(v.Value))
			}
		}
		w.Write(line)
	}
	w.Flush()
	return csvTable(b.String())
}

func idOrNothing(r table.Ref) string {
	if r == (table.Ref{}) {
		return ""
	}
	return uuid.UUID(r).String()
}

// unformula quotes a text that a spreadsheet could take for a formula, also after blanks or by a full-width sign.
func unformula(s string) string {
	if strings.IndexAny(s, "\t\r\n") == 0 || strings.IndexAny(strings.TrimLeftFunc(s, unicode.IsSpace), "=+-@＝＋－＠") == 0 {
		return "'" + s
	}
	return s
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

func figure(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return number(&v)
	}
	return fmt.Sprint(v)
}
