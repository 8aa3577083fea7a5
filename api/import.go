package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
)

// ImportOptions say how to import a journal. See journal.Player.
type ImportOptions struct {
	Source        string
	Actor         event.Actor
	Principal     event.Principal
	RetryRejected bool
	Strict        bool
}

// ImportAnswer is the result of an import.
type ImportAnswer struct {
	desk.Counts
	Outcomes []ImportOutcome `json:"outcomes" doc:"Outcome of each line, in order"`
}

// ImportOutcome is the outcome of one line.
type ImportOutcome struct {
	Line    int    `json:"line" doc:"Number of the line, from 1"`
	ID      string `json:"id,omitempty" doc:"Id of the line"`
	Outcome string `json:"outcome" doc:"Outcome: accepted, unchanged, duplicate, rejected or malformed"`
	Code    string `json:"code,omitempty" doc:"Stable code of the reason for the refusal"`
	Reason  string `json:"reason,omitempty" doc:"Sentence that says why the line was refused"`
}

const importPath = "/v1/import"

// imports adds the route that imports a journal, plain or gzip.
func (s *server) imports() {
	op := describe(http.MethodPost, importPath, "Operations", "Import a journal")
	op.DefaultStatus = http.StatusOK
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(s.api, op, func(ctx context.Context, in *importRequest) (*struct{ Body ImportAnswer }, error) {
		if err := s.may(ctx, role.Import); err != nil {
			return nil, s.refused(ctx, err)
		}
		in.body.timeout = s.Limits.BodyTime
		p := who(ctx)
		answer, err := s.Import(ctx, ImportOptions{Source: in.Source, Actor: p.Actor(), Principal: p.Recorded(), RetryRejected: in.RetryRejected, Strict: in.Strict}, in.body)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body ImportAnswer }{answer}, nil
	})
}

// importRequest is an import. Its body is read while it is imported.
type importRequest struct {
	Source        string `query:"source" default:"journal" pattern:"^[a-z0-9._-]{1,40}$" doc:"Name of the desk that the journal comes from: 1 to 40 of a-z, 0-9, dot, dash and underscore. The same names in journals of two sources are different things"`
	RetryRejected bool   `query:"retry_rejected" doc:"Import lines again that were rejected or malformed before"`
	Strict        bool   `query:"strict" doc:"Stop at the first line that is rejected or malformed"`
	body          *impatient
}

// Resolve takes the body.
func (r *importRequest) Resolve(ctx huma.Context) []error {
	request, writer := humago.Unwrap(ctx)
	r.body = &impatient{request.Body, http.NewResponseController(writer), 0}
	return nil
}

// impatient reads a body of which each part must arrive in time.
type impatient struct {
	body    io.Reader
	conn    *http.ResponseController
	timeout time.Duration
}

func (r *impatient) Read(p []byte) (int, error) {
	if err := r.conn.SetReadDeadline(time.Now().Add(r.timeout)); err != nil {
		return 0, err
	}
	n, err := r.body.Read(p)
	switch {
	case errors.Is(err, io.EOF): // from here on the server waits for the next request
		err = cmp.Or(r.conn.SetReadDeadline(time.Time{}), err)
	case err != nil:
		err = incomplete(err)
	}
	return n, err
}
