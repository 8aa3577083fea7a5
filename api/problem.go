package api

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
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
	"daybook/domain/text"
	"daybook/eventstore"
	"daybook/readmodels/table"
	"daybook/vault"
)

// A Problem is an error in the form of RFC 9457: a stable type and code for programs, a sentence for people, and every
// wrong field. It never repeats a value that the caller or anybody else wrote.
type Problem struct {
	Type   string         `json:"type" doc:"Stable URN of the kind of problem" example:"urn:daybook:problem:ticket-closed"`
	Title  string         `json:"title" doc:"What kind of problem it is, in words"`
	Status int            `json:"status" doc:"HTTP status"`
	Detail string         `json:"detail" doc:"Sentence that says what is wrong and what to do"`
	Code   string         `json:"code" doc:"Stable code, which is the last part of type; /docs/problems lists them"`
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
	return &Problem{Type: "urn:daybook:problem:" + code, Title: titleOf(code, status), Status: status, Code: code, Detail: detail}
}

// parameter returns the problem of one wrong parameter.
func parameter(name, code, format string, args ...any) *Problem {
	p := problem(http.StatusUnprocessableEntity, code, fmt.Sprintf(format, args...))
	p.Errors = []ProblemField{{Parameter: name, Code: code, Detail: p.Detail}}
	return p
}

// ofFields returns the problem of wrong fields and parameters.
func ofFields(fields []ProblemField) *Problem {
	p := problem(http.StatusUnprocessableEntity, "invalid", "Some fields or parameters are wrong. Each is listed with what to do.")
	if len(fields) == 1 {
		p = problem(p.Status, fields[0].Code, fields[0].Detail)
	}
	p.Errors = fields
	return p
}

// incomplete returns the problem of a body that could not be read.
func incomplete(err error) *Problem {
	var overLimit *http.MaxBytesError
	switch {
	case errors.As(err, &overLimit):
		return problem(http.StatusRequestEntityTooLarge, "too-large", fmt.Sprintf("The body must not be larger than %d bytes. Send a journal in parts: lines that were already imported are not imported twice.", overLimit.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem(http.StatusRequestTimeout, "too-slow", "The body arrived too slowly. Send the request again: a journal's lines are not imported twice.")
	}
	return problem(http.StatusBadRequest, "body-incomplete", "The body ended before it was complete. Send the request again, with all of the body.")
}

// finish sets the request id of a problem, tells of a limit that was met, and encodes an answer before it is sent: a client that does
// not read it costs its bytes, and not the rows that it was made of.
func (s *server) finish(ctx huma.Context, _ string, body any) (any, error) {
	defer endTurn(ctx.Context())
	if p, ok := body.(*Problem); ok {
		p.RequestID = requestIn(ctx.Context())
		if limit := limited[p.Code]; limit != "" {
			s.exceeded(limit)
		}
	}
	if table, is := body.(csvTable); is {
		return held(table), nil
	}
	data, err := encode(body)
	return held(data), err
}

// encode returns a value as JSON, with a line break.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer // it is written to once, so that it takes no more memory than it needs
	err := huma.DefaultJSONFormat.Marshal(&b, v)
	return b.Bytes(), err
}

// jsonFormat is JSON without what decoders accept and change silently: see text.CheckJSON. What is sent is encoded already: see finish.
var jsonFormat = huma.Format{Marshal: send, Unmarshal: func(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	if _, first := v.(*any); first && err == nil { // each body is first decoded into any
		err = text.CheckJSON(data)
	}
	return err
}}

// send sends an answer that is encoded.
func send(w io.Writer, answer any) error {
	_, err := answer.(io.WriterTo).WriteTo(w)
	return err
}

// held returns an answer for as long as its client may take to read it. A large one, such as a report by the hour, is kept packed.
func held(answer []byte) io.WriterTo {
	if len(answer) <= large {
		return bytes.NewReader(answer)
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed) // the level is right
	_, _ = w.Write(answer)                       // nothing fails in memory
	_ = w.Close()
	return packed(b.Bytes())
}

// large is the size from which an answer is kept packed.
const large = 512 << 10

// packed is an answer that is unpacked while it is sent.
type packed []byte

// WriteTo implements io.WriterTo.
func (p packed) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, flate.NewReader(bytes.NewReader(p)))
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
		var own *wrongText
		if errors.As(err, &own) {
			p.Errors = append(p.Errors, own.ProblemField)
			continue
		}
		var detailer huma.ErrorDetailer
		if !errors.As(err, &detailer) {
			continue
		}
		d := detailer.ErrorDetail()
		if d.Location == "body" && d.Message == validation.MsgExpectedObject {
			return problem(status, "not-an-object", "The body must not be a list, a string, a number or null. "+object)
		}
		if status == http.StatusBadRequest {
			p.Detail = notJSON(d.Message)
			continue
		}
		p.Errors = append(p.Errors, wrong(d))
	}
	p.Errors = eachOnce(p.Errors)
	switch {
	case status == http.StatusBadRequest && len(errs) > 0: // what is no JSON has no fields
		p.Errors = nil
	case status == http.StatusUnprocessableEntity && len(p.Errors) == 1 && p.Errors[0].Code != "invalid":
		return ofFields(p.Errors)
	case status == http.StatusUnprocessableEntity && len(p.Errors) > 0:
		p.Detail = "Some fields or parameters are wrong. Each is listed with what to do."
	case status == http.StatusBadRequest && len(errs) == 0:
		p.Detail = "The body is empty. " + object
	case status == http.StatusUnsupportedMediaType:
		p.Detail, p.Errors = "Send the body as JSON, with Content-Type: application/json.", nil
	}
	return p
}

// notJSON says what is wrong with a body, by the error of jsonFormat. Other errors have a decoder's words.
func notJSON(message string) string {
	for _, no := range []error{text.ErrEncoding, text.ErrSurrogate, text.ErrTwice} {
		if message == no.Error() {
			return "The body " + message + "."
		}
	}
	return "The body is not JSON. " + object
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
	if strings.Contains(d.Message, domain.IDPattern) || strings.Contains(strings.ToLower(d.Message), "uuid") {
		f.Detail = "This must be an id, such as 0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f."
	}
	if in != "body" {
		f.Parameter = place
		return f
	}
	parts := strings.FieldsFunc(place, func(r rune) bool { return strings.ContainsRune(".[]", r) })
	var missing string
	switch n, _ := fmt.Sscanf(d.Message, validation.MsgExpectedRequiredProperty, &missing); {
	case n == 1:
		parts, f.Detail = append(parts, missing), missing+" is missing."
	case d.Message == validation.MsgUnexpectedProperty:
		parts = unexpected(place, d.Value)
		f.Detail = "There is no such field. Check its name and its case: /docs lists the fields."
	case place == "": // what the decoder says has names of the program's own
		f.Detail = "A field has a value that it cannot have, such as a number that is too large. /docs lists the fields and their types."
	}
	f.Pointer = pointer(parts...)
	return f
}

// unexpected returns the parts of the place of a field that an object should not have. Its name may have any characters.
func unexpected(place string, object any) (parts []string) {
	members, _ := object.(map[string]any)
	name := ""
	for member := range members {
		if (place == member || strings.HasSuffix(place, "."+member)) && len(member) >= len(name) {
			name = member
		}
	}
	above := strings.TrimSuffix(strings.TrimSuffix(place, name), ".")
	return append(strings.FieldsFunc(above, func(r rune) bool { return strings.ContainsRune(".[]", r) }), name)
}

// pointer returns the JSON pointer (RFC 6901) of a place.
func pointer(parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.WriteString("/")
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return b.String()
}

// A wrongText is a field of a body that is no text.
type wrongText struct{ ProblemField }

func (w *wrongText) Error() string { return w.Detail }

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

var statuses = map[domain.Refusal]int{
	domain.RefusedInvalid: http.StatusUnprocessableEntity, domain.RefusedForbidden: http.StatusForbidden, domain.RefusedNotFound: http.StatusNotFound,
	domain.RefusedConflict: http.StatusConflict, domain.RefusedStale: http.StatusPreconditionFailed,
	domain.RefusedTooLarge: http.StatusRequestEntityTooLarge,
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
		field := ProblemField{Pointer: pointer(strings.Split(f.Field, "/")...), Code: f.Code, Detail: f.Message}
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

// wrap gives each request an id and limits of time, answers requests that match no route with a problem, and turns a panic
// into one.
func (s *server) wrap(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.requestID(r)
		w.Header().Set("Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		w = s.inTime(w, r)
		joinLists(r.Header)
		handler, pattern := mux.Handler(r)
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
		nothing := problem(http.StatusNotFound, "no-such-path", "There is nothing at this path. The documentation is at /docs.")
		if moved(r) { // ServeMux would send the client to another path, where a command may do something else
			write(w, nothing)
			return
		}
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
			write(w, nothing)
		default:
			handler.ServeHTTP(w, r)
		}
	})
}

// moved reports whether a request that may change something has a path with empty segments, . or .., which stands for another.
func moved(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	asked := r.URL.EscapedPath()
	return asked != "/" && path.Clean("/"+asked) != strings.TrimSuffix(asked, "/")
}

// statusOnly is a ResponseWriter that records a handler's status and headers.
type statusOnly struct {
	header http.Header
	status int
}

func (p *statusOnly) Header() http.Header         { return p.header }
func (p *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusOnly) WriteHeader(status int)      { p.status = status }
