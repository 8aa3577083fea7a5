package api

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
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
	Allowed       role.Permissions
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

// MaxImport is the largest journal that can be sent in one request, in bytes.
const MaxImport = 16 << 20

// imports adds the route that imports a journal, plain or gzip.
func (s *server) imports() {
	op := describe(http.MethodPost, "/v1/import", "Operations", "Import a journal")
	op.DefaultStatus = http.StatusOK
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(s.api, op, func(ctx context.Context, in *importRequest) (*struct{ Body ImportAnswer }, error) {
		if err := s.may(ctx, role.Import); err != nil {
			return nil, s.refused(ctx, err)
		}
		p := who(ctx)
		answer, err := s.Import(ctx, ImportOptions{Source: in.Source, Actor: p.Actor(), Principal: p.Recorded(), Allowed: p.Allowed, RetryRejected: in.RetryRejected, Strict: in.Strict}, in.body)
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
	body          io.Reader
}

// Resolve takes the body.
func (r *importRequest) Resolve(ctx huma.Context) []error {
	request, writer := humago.Unwrap(ctx)
	r.body = &impatient{http.MaxBytesReader(writer, request.Body, MaxImport), http.NewResponseController(writer), bodyTimeout}
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
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = problem(http.StatusRequestTimeout, "too-slow", "The journal arrived too slowly. Send it again: no line is imported twice.")
	case errors.Is(err, io.EOF): // from here on the server waits for the next request
		err = cmp.Or(r.conn.SetReadDeadline(time.Time{}), err)
	}
	return n, err
}
