package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/readmodels/table"
	"daybook/vault"
)

// A Problem is an error in the form of RFC 9457: a stable type and code for programs, a sentence for people, and every
// wrong field. It never repeats a value that the caller or anybody else wrote.
type Problem struct {
	Type   string         `json:"type" doc:"Stable URN of the kind of problem" example:"urn:daybook:problem:ticket-closed"`
	Title  string         `json:"title" doc:"HTTP status in words"`
	Status int            `json:"status" doc:"HTTP status"`
	Detail string         `json:"detail" doc:"Sentence that says what is wrong and what to do"`
	Code   string         `json:"code" doc:"Stable code, which is the last part of type"`
	Errors []ProblemField `json:"errors,omitempty" doc:"Every wrong field and parameter"`

	RequestID string `json:"request_id" doc:"Id of the request, as in the header Request-Id and in the log"`

	headers http.Header
}

// A ProblemField is one wrong field of the body, or one wrong parameter.
type ProblemField struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer to a field of the body"`
	Parameter string `json:"parameter,omitempty" doc:"Name of a parameter of the query, the path or the headers"`
	Code      string `json:"code" doc:"Stable code"`
	Detail    string `json:"detail" doc:"Sentence that says what is wrong and what to do"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problems.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns the headers to send with the problem.
func (p *Problem) GetHeaders() http.Header { return p.headers }

func problem(status int, code, detail string) *Problem {
	return &Problem{Type: "urn:daybook:problem:" + code, Title: http.StatusText(status), Status: status, Code: code, Detail: detail}
}

// parameter returns the problem of one wrong parameter.
func parameter(name, code, format string, args ...any) *Problem {
	p := problem(http.StatusUnprocessableEntity, code, fmt.Sprintf(format, args...))
	p.Errors = []ProblemField{{Parameter: name, Code: code, Detail: p.Detail}}
	return p
}

// withRequestID sets the request id of a problem.
func withRequestID(ctx huma.Context, _ string, body any) (any, error) {
	if p, ok := body.(*Problem); ok {
		p.RequestID = requestIn(ctx.Context())
	}
	return body, nil
}

const object = `Send one JSON object, such as {"name": "Nora"}.`

// newProblem returns the problem for errors that huma found in a request.
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
		if d.Location == "body" && d.Message == validation.MsgExpectedObject {
			return problem(status, "not-an-object", "The body must not be a list, a string, a number or null. "+object)
		}
		p.Errors = append(p.Errors, wrong(d))
	}
	p.Errors = eachOnce(p.Errors)
	switch {
	case status == http.StatusUnprocessableEntity && len(p.Errors) > 0:
		p.Detail = "Some fields or parameters are wrong. Each is listed with what to do."
	case status == http.StatusBadRequest && len(errs) == 0:
		p.Detail = "The body is empty. " + object
	case status == http.StatusBadRequest:
		p.Detail, p.Errors = "The body is not JSON. "+object, nil
	case status == http.StatusUnsupportedMediaType:
		p.Detail, p.Errors = "Send the body as JSON, with Content-Type: application/json.", nil
	case status == http.StatusRequestEntityTooLarge:
		p.Detail = fmt.Sprintf("The body must not be larger than %d bytes.", MaxBody)
	}
	return p
}

// eachOnce sorts wrong fields, and keeps only the last of each place, which is ours rather than huma's.
func eachOnce(fields []ProblemField) []ProblemField {
	place := func(a, b ProblemField) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Parameter, b.Parameter))
	}
	slices.Reverse(fields)
	slices.SortStableFunc(fields, place)
	return slices.CompactFunc(fields, func(a, b ProblemField) bool { return place(a, b) == 0 })
}

var codes = map[int]string{
	http.StatusBadRequest: "malformed", http.StatusUnprocessableEntity: "invalid", http.StatusRequestEntityTooLarge: "too-large",
	http.StatusUnsupportedMediaType: "media-type", http.StatusNotAcceptable: "not-acceptable", http.StatusRequestTimeout: "too-slow",
	http.StatusInternalServerError: "internal",
}

// wrong returns the wrong field of an error that huma found. It turns a location such as "body.emails[3]" into a pointer
// such as "/emails/3".
func wrong(d *huma.ErrorDetail) ProblemField {
	in, place, _ := strings.Cut(d.Location, ".")
	f := ProblemField{Code: "invalid", Detail: upper(d.Message) + "."}
	if in != "body" {
		f.Parameter = place
		return f
	}
	var missing string
	if n, _ := fmt.Sscanf(d.Message, validation.MsgExpectedRequiredProperty, &missing); n == 1 {
		place, f.Detail = strings.TrimPrefix(place+"."+missing, "."), missing+" is missing."
	}
	if d.Message == validation.MsgUnexpectedProperty {
		f.Detail = "There is no such field. Check its name and its case: /docs lists the fields."
	}
	f.Pointer = "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(place)
	return f
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

// problemOf turns an error into a problem. Errors that are not for callers are logged, and their text is not sent.
func (s *server) problemOf(ctx context.Context, err error) *Problem {
	var own *Problem
	var no *domain.Error
	var before *access.Repeated
	var tooLarge *eventstore.TooLargeError
	var damage *eventstore.DamageError
	var overLimit *http.MaxBytesError
	var keyless *personal.NoKeyError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &before):
		p := ofRefusal(before.No, bodiless(ctx))
		p.headers = http.Header{"Idempotent-Replayed": {"true"}}
		return p
	case errors.As(err, &no):
		return ofRefusal(no, bodiless(ctx))
	case errors.Is(err, work.ErrReused), errors.Is(err, vault.ErrKeyReused):
		return parameter("Idempotency-Key", "idempotency-key-reused", "This Idempotency-Key was already used for another request. Use a new key for each new request.")
	case errors.As(err, &tooLarge):
		return problem(http.StatusRequestEntityTooLarge, "too-large", upper(tooLarge.Error())+".")
	case errors.As(err, &overLimit):
		return problem(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("The body must not be larger than %d bytes. Send a journal in parts: lines that were already imported are not imported twice.", overLimit.Limit))
	case errors.Is(err, table.ErrNotReady):
		return retryable("building", "The read models are being built. Try again in a moment.")
	case errors.Is(err, access.ErrBehind):
		return retryable("behind", "The read models must catch up with the log before this can be decided. Try again in a moment.")
	case errors.Is(err, event.ErrUnknown):
		s.Log.Warn("request refused", "request_id", requestIn(ctx), "error", err)
		return problem(http.StatusServiceUnavailable, "newer-program", "A newer version of Daybook has written an event that this version does not know, about this or about something that it depends on. Upgrade this process, or send the request to a newer one.")
	case errors.As(err, &damage):
		s.Log.Error("request refused", "request_id", requestIn(ctx), "error", err)
		return problem(http.StatusServiceUnavailable, "log-damaged", "The event log is damaged where it holds this, or something that this depends on. Nothing can be decided about it until an operator has restored what daybook verify names; everything else works.")
	case errors.As(err, &keyless):
		s.Log.Error("request refused", "request_id", requestIn(ctx), "error", err)
		return problem(http.StatusServiceUnavailable, "keys-missing", "The vault lacks the key of a person whom this is about: it is older than the log. Put the newer vault back. If there is none, daybook vault accept-loss gives up what is sealed under missing keys.")
	case errors.Is(err, eventstore.ErrClosed), errors.Is(err, table.ErrClosed):
		return retryable("stopping", "The server is stopping. Try again in a moment.")
	case ctx.Err() != nil:
		return problem(http.StatusRequestTimeout, "cancelled", "The request was cancelled. If it was a command, it may have taken effect: send it again with the same Idempotency-Key.")
	}
	s.Log.Error("request failed", "request_id", requestIn(ctx), "error", err)
	return retryable("unavailable", "The request failed, and may or may not have taken effect. Send it again with the same Idempotency-Key.")
}

// ofRefusal returns the problem of a refusal. The fields of a request without a body are parameters.
func ofRefusal(no *domain.Error, bodiless bool) *Problem {
	p := problem(statuses[no.Refusal], no.Code, no.Message)
	for _, f := range no.Fields {
		field := ProblemField{Pointer: "/" + f.Field, Code: f.Code, Detail: f.Message}
		if bodiless {
			field.Pointer, field.Parameter = "", f.Field
		}
		p.Errors = append(p.Errors, field)
	}
	return p
}

func retryable(code, detail string) *Problem {
	p := problem(http.StatusServiceUnavailable, code, detail)
	p.headers = http.Header{"Retry-After": {"1"}}
	return p
}

// wrap gives each request an id, answers requests that match no route with a problem, and turns a panic into one.
func (s *server) wrap(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.requestID(r)
		handler, pattern := mux.Handler(r)
		w.Header().Set("Request-Id", id)
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		joinTags(r.Header)
		defer func() {
			cause := recover()
			if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(cause) // the server's own way to drop a connection
			}
			if cause != nil {
				s.Log.Error("panic", "request_id", id, "route", pattern, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				write(w, problem(http.StatusInternalServerError, "internal", "Daybook failed to handle this request, which is a bug. The log has the details under the request's id."))
			}
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusOnly{header: make(http.Header)}
		handler.ServeHTTP(probe, r)
		switch probe.status {
		case http.StatusMethodNotAllowed:
			w.Header().Set("Allow", probe.header.Get("Allow"))
			write(w, problem(probe.status, "method-not-allowed", "This path accepts only "+probe.header.Get("Allow")+"."))
		case http.StatusNotFound:
			write(w, problem(probe.status, "no-such-path", "There is nothing at this path. The documentation is at /docs."))
		default:
			handler.ServeHTTP(w, r)
		}
	})
}

// statusOnly is a ResponseWriter that records a handler's status and headers.
type statusOnly struct {
	header http.Header
	status int
}

func (p *statusOnly) Header() http.Header         { return p.header }
func (p *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusOnly) WriteHeader(status int)      { p.status = status }
