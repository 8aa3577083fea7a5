package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/vault"
)

// A principal is the caller of a request, with what the request's headers and parameters say.
type principal struct {
	access.Principal
	traced   string     // the trace that the request belongs to; empty: none
	asked    url.Values // the parameters of the request
	bodiless bool       // see bodiless
}

type (
	principalKey struct{}
	requestKey   struct{}
)

// authenticate finds the caller of a request, except on routes without security.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	if op := ctx.Operation(); op.Security != nil && len(op.Security) == 0 {
		next(ctx)
		return
	}
	scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="daybook"`)
		s.fail(ctx, problem(http.StatusUnauthorized, "key-missing", "Send an API key in the header Authorization: Bearer KEY. The first owner's key is in the file owner.key in the data folder."))
		return
	}
	p, err := s.Authenticate(ctx.Context(), strings.TrimSpace(token))
	if errors.Is(err, vault.ErrAltered) {
		s.Log.Error("a caller was refused", "request_id", requestIn(ctx.Context()), "error", err)
	}
	if errors.Is(err, vault.ErrBadKey) {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="daybook", error="invalid_token"`)
		s.fail(ctx, problem(http.StatusUnauthorized, vault.ErrBadKey.Code, vault.ErrBadKey.Message))
		return
	}
	if err != nil {
		s.fail(ctx, s.problemOf(ctx.Context(), err))
		return
	}
	asked := ctx.URL()
	next(huma.WithValue(ctx, principalKey{}, principal{p, traced(ctx), asked.Query(), ctx.Method() == http.MethodGet || ctx.Method() == http.MethodDelete}))
}

func (s *server) fail(ctx huma.Context, p *Problem) {
	huma.WriteErr(s.api, ctx, p.Status, p.Detail, p)
}

// traced returns the trace that a request belongs to: that of traceparent, or X-Request-Id, or empty.
func traced(ctx huma.Context) string {
	if parts := strings.Split(ctx.Header("traceparent"), "-"); len(parts) == 4 && len(parts[1]) == 32 {
		return parts[1]
	}
	if given := ctx.Header("X-Request-Id"); sane(given) {
		return given
	}
	return ""
}

// requestID returns the id of a request in answers and in the log: the request's own, in the form in which events have it
// (see access.Door.Correlation), or a new one.
func (s *server) requestID(r *http.Request) string {
	for _, name := range []string{"Request-Id", "X-Request-Id"} {
		if given := r.Header.Get(name); sane(given) {
			return s.Correlation(given)
		}
	}
	return uuid.Must(uuid.NewV7()).String()
}

// sane reports whether a caller's text can be an id.
func sane(id string) bool {
	return id != "" && len(id) <= 100 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// requestIn returns the id of a context's request.
func requestIn(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// write sends a problem without huma.
func write(w http.ResponseWriter, p *Problem) {
	p.RequestID = w.Header().Get("Request-Id")
	w.Header().Set("Content-Type", p.ContentType(""))
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller may have gone away
}

func who(ctx context.Context) principal { return ctx.Value(principalKey{}).(principal) }

// bodiless reports whether what a request says is in its path and its parameters.
func bodiless(ctx context.Context) bool {
	p, _ := ctx.Value(principalKey{}).(principal)
	return p.bodiless
}

// may returns an error if the caller lacks a permission.
func (s *server) may(ctx context.Context, p role.Permission) error { return who(ctx).MustMay(p) }

// Asking are the headers of a command's request.
type Asking struct {
	Key     string `header:"Idempotency-Key" maxLength:"255" doc:"Unique key that makes the request safe to repeat: the same key and body get the first answer again"`
	IfMatch string `header:"If-Match" doc:"ETag of the thing as last read, or several; 412 if the thing has none of them now"`
	Reason  string `header:"Daybook-Reason" maxLength:"1000" doc:"Reason for the command, stored with its events"`
}

// by returns the work.By of a request: a route, what it is about, and the body.
func (s *server) by(ctx context.Context, a Asking, route huma.Operation, about string, body []byte) (work.By, error) {
	p := who(ctx)
	by := s.By(p.Principal, a.Key, route.OperationID+" "+about, body)
	by.Reason, by.Through = a.Reason, event.ThroughAPI
	if p.traced != "" {
		by.Correlation = s.Correlation(p.traced)
	}
	var err error
	by.IfMatch, err = revisions(a.IfMatch)
	return by, err
}
