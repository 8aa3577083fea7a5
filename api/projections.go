package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain/role"
)

// An Operator keeps the read models.
type Operator interface {
	// Status says how each projection is.
	Status(context.Context) ([]ProjectionStatus, error)
	// Rebuild begins to build the read models anew beside the live ones; it returns at once.
	Rebuild(context.Context) error
	// Verify compares the live read models with the log.
	Verify(context.Context) (Verification, error)
	// Retry posts again what a projection has parked.
	Retry(ctx context.Context, projection string) error
	// Ready returns why the desk cannot serve, or nil.
	Ready(context.Context) error
}

// A ProjectionStatus says how a projection is.
type ProjectionStatus struct {
	Name         string   `json:"name" doc:"The projection"`
	Version      string   `json:"version" doc:"The version of the tables and of what fills them"`
	Position     string   `json:"position" doc:"How far it is"`
	Applied      int64    `json:"applied" doc:"How many events it has taken"`
	LagEvents    int64    `json:"lag_events" doc:"How many events it lacks"`
	LagSeconds   float64  `json:"lag_seconds" doc:"How long ago the first of these was recorded; in seconds"`
	State        string   `json:"state" doc:"live, catching up, building, parked, stopped or fenced"`
	Posting      bool     `json:"posting" doc:"Whether this process posts it, and not another"`
	Parked       []string `json:"parked" doc:"Streams that it no longer follows, since it failed at one of their events"`
	LastProgress string   `json:"last_progress" doc:"When this process last moved it"`
	Failure      string   `json:"failure,omitempty" doc:"What stopped it, or what it is trying again"`
}

// A Verification is what comparing the read models with the log came to.
type Verification struct {
	Position    string   `json:"position" doc:"The position at which both were compared"`
	Events      int64    `json:"events" doc:"How many events were replayed"`
	Rows        int64    `json:"rows" doc:"How many rows were compared"`
	Same        bool     `json:"same" doc:"Whether all rows are what the log says"`
	Differences []string `json:"differences" doc:"Each table, row and column that differs; the first 1000"`
}

func (s *server) operations() {
	const projections = "/v1/projections"
	huma.Register(s.api, describe(http.MethodGet, projections, "Operations", "How each projection is"), func(ctx context.Context, _ *struct{}) (*struct{ Body List[ProjectionStatus] }, error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		all, err := s.Operator.Status(ctx)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body List[ProjectionStatus] }{List[ProjectionStatus]{Data: all}}, nil
	})
	rebuild := describe(http.MethodPost, projections+"/rebuild", "Operations", "Build the read models anew beside the live ones, then switch; answers at once")
	rebuild.DefaultStatus = http.StatusAccepted
	huma.Register(s.api, rebuild, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		if err := s.may(ctx, role.Operate); err != nil {
			return nil, s.refused(ctx, err)
		}
		return nil, s.refused(ctx, s.Operator.Rebuild(ctx))
	})
	huma.Register(s.api, describe(http.MethodPost, projections+"/verify", "Operations", "Compare the live read models with the log"), func(ctx context.Context, _ *struct{}) (*struct{ Body Verification }, error) {
		if err := s.may(ctx, role.EventsRead); err != nil {
			return nil, s.refused(ctx, err)
		}
		v, err := s.Operator.Verify(ctx)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body Verification }{v}, nil
	})
	retry := describe(http.MethodPost, projections+"/{name}/retry", "Operations", "Post again what a projection has parked")
	retry.DefaultStatus = http.StatusNoContent
	huma.Register(s.api, retry, func(ctx context.Context, in *struct {
		Name string `path:"name" doc:"The projection"`
	}) (*struct{}, error) {
		if err := s.may(ctx, role.Operate); err != nil {
			return nil, s.refused(ctx, err)
		}
		return nil, s.refused(ctx, s.Operator.Retry(ctx, in.Name))
	})

	alive := describe(http.MethodGet, "/healthz", "Operations", "Whether the process is alive")
	alive.Security = []map[string][]string{}
	huma.Register(s.api, alive, func(context.Context, *struct{}) (*struct{ Body Health }, error) {
		return &struct{ Body Health }{Health{Status: "alive"}}, nil
	})
	ready := describe(http.MethodGet, "/readyz", "Operations", "Whether the desk can serve, and if not, why")
	ready.Security = []map[string][]string{}
	ready.Errors = []int{http.StatusServiceUnavailable}
	huma.Register(s.api, ready, func(ctx context.Context, _ *struct{}) (*struct{ Body Health }, error) {
		if err := s.Operator.Ready(ctx); err != nil {
			return nil, retryable("not-ready", upper(err.Error())+".")
		}
		return &struct{ Body Health }{Health{Status: "ready"}}, nil
	})
}
