package api

import (
	"cmp"
	"context"
	"encoding/json"
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
	Allowed       role.Permissions
	RetryRejected bool
	Strict        bool
	Unpacked      int64
	Report        func([]ImportOutcome) // called with the outcomes of each batch, in the order of the lines
}

// ImportAnswer is the result of an import.
type ImportAnswer struct {
	desk.Counts
	Refused []ImportOutcome `json:"refused" doc:"First 1000 lines that were rejected or malformed. To get the outcome of each line, send Accept: application/x-ndjson"`
}

// maxRefused is how many refused lines an ImportAnswer has at most.
const maxRefused = 1000

// ImportOutcome is the outcome of one line.
type ImportOutcome struct {
	Line    int    `json:"line" doc:"Number of the line, from 1"`
	ID      string `json:"id,omitempty" doc:"Id of the line"`
	Outcome string `json:"outcome" doc:"Outcome: accepted, unchanged, duplicate, rejected or malformed"`
	Code    string `json:"code,omitempty" doc:"Stable code of the reason for the refusal"`
	Reason  string `json:"reason,omitempty" doc:"Sentence that says why the line was refused"`
}

const importPath = "/v1/import"

const ndjson = "application/x-ndjson"

// imports adds the route that imports a journal, plain or gzip.
func (s *server) imports() {
	op := describe(route{http.MethodPost, importPath, "Operations", "importJournal", "Import a journal, plain or gzip", role.Import})
	op.DefaultStatus = http.StatusOK
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		ndjson: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	answer := response[ImportAnswer](s, "The counts and the first refused lines. With Accept: application/x-ndjson, the outcome of each line as soon as it is known, and at last the counts, or the problem that ended the import")
	answer.Content[ndjson] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	op.Responses = map[string]*huma.Response{"200": answer}
	huma.Register(s.api, op, func(ctx context.Context, in *importRequest) (*huma.StreamResponse, error) {
		if err := s.may(ctx, role.Import); err != nil {
			return nil, s.refused(ctx, err)
		}
		in.body.timeout = s.Limits.BodyTime
		p := who(ctx)
		options := ImportOptions{
			Source: in.Source, Actor: p.Actor(), Principal: p.Recorded(), Allowed: p.Allowed, RetryRejected: in.RetryRejected, Strict: in.Strict, Unpacked: s.Limits.Unpacked,
		}
		if prefers(in.accept, "application/json", ndjson) == ndjson {
			return &huma.StreamResponse{Body: func(hc huma.Context) { s.importLineByLine(hc, options, in.body) }}, nil
		}
		answer := ImportAnswer{Refused: []ImportOutcome{}}
		options.Report = func(outcomes []ImportOutcome) {
			for _, o := range outcomes {
				if o.Code != "" && len(answer.Refused) < maxRefused {
					answer.Refused = append(answer.Refused, o)
				}
			}
		}
		var err error
		if answer.Counts, err = s.Import(ctx, options, in.body); err != nil {
			return nil, s.refused(ctx, err)
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			hc.SetHeader("Content-Type", "application/json")
			_ = json.NewEncoder(hc.BodyWriter()).Encode(answer) // the caller may have gone away
		}}, nil
	})
}

// importLineByLine imports a journal, and writes the outcomes while the rest of it is still arriving.
func (s *server) importLineByLine(hc huma.Context, options ImportOptions, journal io.Reader) {
	_, writer := humago.Unwrap(hc)
	if t, ok := writer.(*timed); ok {
		t.duplex()
	}
	hc.SetHeader("Connection", "close") // an import that ends early leaves a part of the body unread
	began := false
	lines := json.NewEncoder(writer)
	begin := func() {
		if !began {
			began = true
			hc.SetHeader("Content-Type", ndjson)
			hc.SetStatus(http.StatusOK)
		}
	}
	options.Report = func(outcomes []ImportOutcome) {
		begin()
		for _, o := range outcomes {
			_ = lines.Encode(o) // an import goes on if its caller has gone away
		}
		_ = http.NewResponseController(writer).Flush()
	}
	counts, err := s.Import(hc.Context(), options, journal)
	switch {
	case err == nil:
		begin()
		_ = lines.Encode(counts)
	case began:
		no := s.problemOf(hc.Context(), err)
		no.RequestID = requestIn(hc.Context())
		_ = lines.Encode(no)
	default:
		s.fail(hc, s.problemOf(hc.Context(), err))
	}
}

// importRequest is an import. Its body is read while it is imported.
type importRequest struct {
	Accepting
	Source        string `query:"source" default:"journal" pattern:"^[a-z0-9._-]{1,40}$" doc:"Name of the desk that the journal comes from: 1 to 40 of a-z, 0-9, dot, dash and underscore. The same names in journals of two sources are different things"`
	RetryRejected bool   `query:"retry_rejected" doc:"Import lines again that were rejected or malformed before"`
	Strict        bool   `query:"strict" doc:"Stop at the first line that is rejected or malformed"`
	body          *impatient
}

// Resolve also takes the body.
func (r *importRequest) Resolve(ctx huma.Context) []error {
	r.Accepting.Resolve(ctx)
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
