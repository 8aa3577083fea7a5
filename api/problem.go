package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/readmodels"
)

// A Problem is an error as RFC 9457 has it: a stable type and code for programs, a sentence for people, and each wrong
// field. It never holds a value that the caller or anybody else wrote.
type Problem struct {
	Type   string         `json:"type" doc:"A stable name of the kind of problem" example:"urn:daybook:problem:ticket-closed"`
	Title  string         `json:"title" doc:"The status in words"`
	Status int            `json:"status" doc:"The HTTP status"`
	Detail string         `json:"detail" doc:"A sentence that says what to do"`
	Code   string         `json:"code" doc:"The last part of the type"`
	Errors []ProblemField `json:"errors,omitempty" doc:"Each wrong field"`

	headers http.Header
}

// A ProblemField is one wrong field.
type ProblemField struct {
	Pointer string `json:"pointer" doc:"A JSON pointer into the body, or the name of a parameter"`
	Code    string `json:"code" doc:"A stable code"`
	Detail  string `json:"detail" doc:"What to do"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders are headers to be sent with the problem.
func (p *Problem) GetHeaders() http.Header { return p.headers }

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:daybook:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// newProblem makes a problem of what huma found wrong with a request.
func newProblem(status int, message string, errs ...error) huma.StatusError {
	for _, err := range errs {
		var own *Problem
		if errors.As(err, &own) {
			return own
		}
	}
	p := problem(status, codes[status], message)
	if p.Code == "" {
		p.Code, p.Type = "error", "about:blank"
	}
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		if !errors.As(err, &detailer) {
			continue
		}
		d := detailer.ErrorDetail()
		p.Errors = append(p.Errors, ProblemField{pointer(d.Location), "invalid", d.Message})
	}
	switch {
	case status == http.StatusUnprocessableEntity && len(p.Errors) > 0:
		p.Detail = "Some fields are wrong; each is listed with what to do."
	case status == http.StatusBadRequest:
		p.Detail = "The body must be one JSON object. " + upper(message) + "."
		p.Errors = nil
	case status == http.StatusUnsupportedMediaType:
		p.Detail, p.Errors = "Send the body as JSON, with Content-Type: application/json.", nil
	case status == http.StatusRequestEntityTooLarge:
		p.Detail = fmt.Sprintf("The body may have at most %d bytes.", MaxBody)
	}
	return p
}

var codes = map[int]string{
	http.StatusBadRequest: "malformed", http.StatusUnprocessableEntity: "invalid", http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType: "media-type", http.StatusNotAcceptable: "not-acceptable", http.StatusRequestTimeout: "too-slow",
	http.StatusInternalServerError: "internal",
}

// pointer turns huma's "body.emails[3]" into "/emails/3"; parameters keep their name.
func pointer(location string) string {
	in, rest, _ := strings.Cut(location, ".")
	if in != "body" {
		return rest
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(rest)
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

var statuses = map[domain.Refusal]int{
	domain.RefusedInvalid: http.StatusUnprocessableEntity, domain.RefusedForbidden: http.StatusForbidden, domain.RefusedNotFound: http.StatusNotFound,
	domain.RefusedConflict: http.StatusConflict, domain.RefusedStale: http.StatusPreconditionFailed,
}

// refused turns any error into a problem, for a handler to return.
func (s *server) refused(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return s.problemOf(ctx, err)
}

// problemOf turns an error into a problem. What is not for callers is logged and not said.
func (s *server) problemOf(ctx context.Context, err error) *Problem {
	var own *Problem
	var no *domain.Error
	var tooLarge *eventstore.TooLargeError
	var overLimit *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &no):
		return ofRefusal(no)
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too-large", upper(tooLarge.Error())+".")
	case errors.As(err, &overLimit):
		return problem(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("The body may have at most %d bytes. Of a journal, what came before was played: send it in parts.", overLimit.Limit))
	case errors.Is(err, readmodels.ErrNotReady):
		return retryable("building", "The read models are being built. Try again soon.")
	case errors.Is(err, eventstore.ErrClosed), errors.Is(err, readmodels.ErrClosed):
		return retryable("stopping", "The server is stopping. Try again soon.")
	case ctx.Err() != nil:
		return problem(http.StatusRequestTimeout, "cancelled", "The request was cancelled. If it was a command, it may have taken effect: send it again with the same Idempotency-Key.")
	}
	s.Log.Error("request failed", "error", err)
	return retryable("unavailable", "The desk could not do this now; whether it took effect is not known. Send it again with the same Idempotency-Key.")
}

// ofRefusal is the problem that says the desk's no.
func ofRefusal(no *domain.Error) *Problem {
	p := problem(statuses[no.Refusal], no.Code, no.Message)
	for _, f := range no.Fields {
		p.Errors = append(p.Errors, ProblemField{"/" + f.Field, f.Code, f.Message})
	}
	return p
}

func retryable(code, detail string) *Problem {
	p := problem(http.StatusServiceUnavailable, code, detail)
	p.headers = http.Header{"Retry-After": {"1"}}
	return p
}

// wrap answers what no route does, in the same form, and turns a panic into a problem.
func (s *server) wrap(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) // the server's own way to drop a connection
			}
			if cause != nil {
				s.Log.Error("panic", "path", r.URL.Path, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				write(w, problem(http.StatusInternalServerError, "internal", "This is a fault of the program. It was logged."))
			}
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusOnly{header: make(http.Header)}
		handler.ServeHTTP(probe, r)
		switch probe.status {
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", probe.header.Get("Allow"))
			write(w, problem(probe.status, "method-not-allowed", "This path takes only "+probe.header.Get("Allow")+"."))
		case http.StatusNotFound:
			write(w, problem(probe.status, "no-such-path", "There is nothing at this path. /docs lists what there is."))
		default:
			handler.ServeHTTP(w, r)
		}
	})
}

// statusOnly is a ResponseWriter that keeps what a handler would say.
type statusOnly struct {
	header http.Header
	status int
}

func (p *statusOnly) Header() http.Header         { return p.header }
func (p *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusOnly) WriteHeader(status int)      { p.status = status }
