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

// ImportOptions are how a journal is played.
type ImportOptions struct {
	Source        string
	Actor         event.Actor
	RetryRejected bool
	Strict        bool
}

// ImportAnswer is what the lines of a journal came to.
type ImportAnswer struct {
	desk.Counts
	Outcomes []ImportOutcome `json:"outcomes" doc:"What each line came to"`
}

// ImportOutcome is what one line came to.
type ImportOutcome struct {
	Line    int    `json:"line" doc:"Its number, from 1"`
	ID      string `json:"id,omitempty" doc:"Its id"`
	Outcome string `json:"outcome" doc:"accepted, unchanged, duplicate, rejected or malformed"`
	Code    string `json:"code,omitempty" doc:"Why it was refused, for programs"`
	Reason  string `json:"reason,omitempty" doc:"Why it was refused, for people"`
}

// MaxImport is the largest journal that can be sent in one request, in bytes.
const MaxImport = 16 << 20

// imports takes the lines of a journal as they are, plain or gzip.
func (s *server) imports() {
	op := describe(http.MethodPost, "/v1/import", "Operations", "Play the lines of a journal")
	op.DefaultStatus = http.StatusOK
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/x-ndjson": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(s.api, op, func(ctx context.Context, in *importRequest) (*struct{ Body ImportAnswer }, error) {
		if err := s.may(ctx, role.Import); err != nil {
			return nil, s.refused(ctx, err)
		}
		by, err := s.by(ctx, Asking{}, "")
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		answer, err := s.Import(ctx, ImportOptions{Source: in.Source, Actor: by.Actor, RetryRejected: in.RetryRejected, Strict: in.Strict}, in.body)
		if err != nil {
			return nil, s.refused(ctx, err)
		}
		return &struct{ Body ImportAnswer }{answer}, nil
	})
}

// importRequest reads its body as it plays it.
type importRequest struct {
	Source        string `query:"source" default:"journal" minLength:"1" maxLength:"100" doc:"Keeps the names of two desks apart"`
	RetryRejected bool   `query:"retry_rejected" doc:"Play lines again that were rejected or malformed before"`
	Strict        bool   `query:"strict" doc:"Stop at the first line that is refused"`
	body          io.Reader
}

// Resolve takes the body.
func (r *importRequest) Resolve(ctx huma.Context) []error {
	request, writer := humago.Unwrap(ctx)
	r.body = &impatient{http.MaxBytesReader(writer, request.Body, MaxImport), http.NewResponseController(writer), bodyTimeout}
	return nil
}

// impatient reads a body of which each part must come in time: a caller who stalls is let go.
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
		err = problem(http.StatusRequestTimeout, "too-slow", "The journal came too slowly. Send it again: no line is played twice.")
	case errors.Is(err, io.EOF): // from here on the server waits for the next request
		err = cmp.Or(r.conn.SetReadDeadline(time.Time{}), err)
	}
	return n, err
}
