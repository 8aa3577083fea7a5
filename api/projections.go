package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"daybook/domain/role"
)

// An Operator manages the read models.
type Operator interface {
	// Status returns the status of each projection.
	Status(context.Context) ([]ProjectionStatus, error)
	// Rebuild starts to build new read models beside the live ones, and returns at once.
	Rebuild(context.Context) error
	// Verify reads the whole log, and compares its index and the live read models with it. Several at once are one.
	Verify(context.Context) (Verification, error)
	// Retry projects again the streams that a projection has parked.
	Retry(ctx context.Context, projection string) error
	// Ready returns an error that says why the desk cannot serve, an *Unready, or nil, and sentences on what to look at although
	// it can.
	Ready(context.Context) (warnings []string, err error)
}

// Unready says why the desk cannot serve: in a word, for everybody, and in full, for those with an API key.
type Unready struct {
	Word string
	Err  error
}

// The words of an Unready.
const (
	NotReady = "not-ready"
	Building = "building"
	Parked   = "parked"
	Stopping = "stopping"
	LogAway  = "log-away"
)

func (u *Unready) Error() string { return u.Err.Error() }

// Unwrap returns the reason.
func (u *Unready) Unwrap() error { return u.Err }

// A ProjectionStatus is the status of a projection.
type ProjectionStatus struct {
	Name         string   `json:"name" doc:"Name of the projection"`
	Version      string   `json:"version" doc:"Version of its tables and of the code that fills them"`
	Position     string   `json:"position" doc:"Position of its checkpoint"`
	Applied      int64    `json:"applied" doc:"Number of events that it has applied"`
	LagEvents    int64    `json:"lag_events" doc:"Number of events that it has not applied yet"`
	LagSeconds   float64  `json:"lag_seconds" doc:"Age of the first of these events, in seconds"`
	State        string   `json:"state" doc:"State: live, catching up, building, retrying, stopped or fenced"`
	Posting      bool     `json:"posting" doc:"Whether this process projects it, rather than another"`
	Parked       []string `json:"parked" doc:"Streams that it has stopped applying because one of their events failed"`
	LastProgress string   `json:"last_progress" doc:"Time when this process last moved its checkpoint; empty if never"`
	Failure      string   `json:"failure,omitempty" doc:"Error that stopped it, or because of which it is retrying"`
}

// A Verification is what was found by reading the whole log and comparing its index and the read models with it.
type Verification struct {
	Verdict     Verdict  `json:"verdict" doc:"Result: the first of these that is so"`
	Damage      []string `json:"damage" doc:"First 1000 places of the log that are not as they were written, or that cannot be read, each with its position and stream. If there are any, nothing is compared"`
	Index       []string `json:"index" doc:"What is wrong with the log's index"`
	Position    string   `json:"position" doc:"Position of the log at which the read models were compared"`
	Events      int64    `json:"events" doc:"Number of events that were read"`
	Rows        int64    `json:"rows" doc:"Number of rows that were compared"`
	Same        bool     `json:"same" doc:"Whether all rows match the log"`
	Found       int64    `json:"found" doc:"Number of differences"`
	Stopped     string   `json:"stopped,omitempty" doc:"Why the read models end at this position, if a newer version of Daybook wrote the next event"`
	Differences []string `json:"differences" doc:"First 1000 differences, each with its table, row and column. They tell ids, and no values"`
}

// Verdict is the result of a verification.
type Verdict string

// The verdicts.
const (
	LogDamaged       Verdict = "log-damaged"
	KeysMissing      Verdict = "keys-missing"
	ReadModelsDiffer Verdict = "read-models-differ"
	IndexWrong       Verdict = "index-wrong"
	AllWell          Verdict = "well"
)

// Verdicts lists the verdicts, the worst first.
var Verdicts = []Verdict{LogDamaged, KeysMissing, ReadModelsDiffer, IndexWrong, AllWell}

func (s *server) operations() {
	const projections = "/v1/projections"
	huma.Register(s.api, describe(route{http.MethodGet, projections, "Operations", "listProjections", "List the projections and their status", role.EventsRead}), func(ctx context.Context, _ *struct{}) (*struct{ Body List[ProjectionStatus] }, error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		all, err := s.Operator.Status(ctx)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body List[ProjectionStatus] }{List[ProjectionStatus]{Data: all}}, nil
	})
	rebuild := describe(route{http.MethodPost, projections + "/rebuild", "Operations", "rebuildProjections", "Start to rebuild the read models beside the live ones, and switch when they have caught up", role.Operate})
	rebuild.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, rebuild, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		if err := s.may(ctx, role.Operate); err != nil {
			return nil, s.refused(ctx, err)
		}
		return nil, s.refused(ctx, s.Operator.Rebuild(ctx))
	})
	huma.Register(s.api, describe(route{http.MethodPost, projections + "/verify", "Operations", "verifyLog", "Check the whole log, and compare its index and the live read models with it", role.EventsRead}), func(ctx context.Context, _ *struct{}) (*struct{ Body Verification }, error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		v, err := s.Operator.Verify(ctx)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body Verification }{v}, nil
	})
	retry := describe(route{http.MethodPost, projections + "/{name}/retry", "Operations", "retryProjection", "Retry the streams that a projection has parked", role.Operate})
	retry.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, retry, func(ctx context.Context, in *struct {
		Name string `path:"name" doc:"Name of the projection"`
	}) (*struct{}, error) {
		if err := s.may(ctx, role.Operate); err != nil {
			return nil, s.refused(ctx, err)
		}
		return nil, s.refused(ctx, s.Operator.Retry(ctx, in.Name))
	})

	if s.Metrics != nil {
		metrics := describe(route{http.MethodGet, "/metrics", "Operations", "getMetrics", "Get the metrics of this process, for Prometheus", ""})
		metrics.Responses = map[string]*huma.Response{"200": {
			Description: "The metrics", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}}
		huma.Register(s.api, metrics, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
			return &huma.StreamResponse{Body: func(hc huma.Context) {
				request, writer := humago.Unwrap(hc)
				s.Metrics.ServeHTTP(writer, request)
			}}, nil
		})
	}

	alive := describe(route{http.MethodGet, "/healthz", "Operations", "getHealth", "Check whether the process is alive", ""})
	alive.Security = []map[string][]string{}
	huma.Register(s.api, alive, func(context.Context, *struct{}) (*struct{ Body Health }, error) {
		return &struct{ Body Health }{Health{Status: "alive"}}, nil
	})
	ready := describe(route{http.MethodGet, "/readyz", "Operations", "getReadiness", "Check whether the desk can serve, and if not, why. Without an API key, the reason is a word, which is the problem's code, and there are no warnings", ""})
	ready.Security = []map[string][]string{{"key": {}}, {}}
	huma.Register(s.api, ready, func(ctx context.Context, _ *struct{}) (*struct{ Body Health }, error) {
		warnings, err := s.Operator.Ready(ctx)
		_, keyed := ctx.Value(principalKey{}).(principal)
		word, unready := NotReady, (*Unready)(nil)
		if errors.As(err, &unready) {
			word = unready.Word
		}
		switch {
		case err != nil && keyed:
			return nil, retryable(word, upper(err.Error())+".")
		case err != nil:
			return nil, retryable(word, "The desk is not ready ("+word+"). Send an API key to see why.")
		case !keyed:
			warnings = nil
		}
		return &struct{ Body Health }{Health{Status: "ready", Warnings: warnings}}, nil
	})
}
