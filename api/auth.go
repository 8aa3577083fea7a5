package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/vault"
)

// A principal is the caller of a request, with what the request's headers and parameters say.
type principal struct {
	access.Principal
	token    string     // the API key
	trace    string     // the correlation of what the request does
	asked    url.Values // the parameters of the request
	bodiless bool       // see bodiless
}

type (
	principalKey struct{}
	requestKey   struct{}
)

// authenticate finds the caller of a request, except on routes without security. Where a key is optional, there may be none.
func (s *server) authenticate(ctx huma.Context, next func(huma.Context)) {
	security := ctx.Operation().Security
	optional := slices.ContainsFunc(security, func(need map[string][]string) bool { return len(need) == 0 })
	given := ctx.Header("Authorization")
	if security != nil && len(security) == 0 || optional && given == "" {
		next(ctx)
		return
	}
	scheme, token, _ := strings.Cut(given, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="daybook"`)
		s.fail(ctx, problem(http.StatusUnauthorized, "key-missing", "Send an API key in the header Authorization: Bearer KEY. The first owner's key is in the file owner.key in the data folder."))
		return
	}
	p, no := s.callerOf(ctx, strings.TrimSpace(token))
	if no != nil {
		s.fail(ctx, no)
		return
	}
	counted, most, code, what := &s.requests, s.Limits.Requests, "too-many-requests", "requests in progress"
	if ctx.Operation().Path == streamPath {
		counted, most, code, what = &s.streams, s.Limits.Streams, "too-many-streams", "event streams"
	}
	if !counted.begin(p.Key.ID, most) {
		s.fail(ctx, tooMany(code, 0, fmt.Sprintf("This API key has %d %s. End some of them first.", most, what)))
		return
	}
	defer counted.end(p.Key.ID)
	next(huma.WithValue(ctx, principalKey{}, p))
}

// callerOf returns the principal with a token, or why there is none.
func (s *server) callerOf(ctx huma.Context, token string) (principal, *Problem) {
	address, sum := addressOf(ctx.RemoteAddr()), sha256.Sum256([]byte(token))
	if _, right := s.right.Load(sum); !right {
		if wait := s.wrong.over(address, s.Limits.WrongKeys, s.Now()); wait > 0 {
			return principal{}, tooMany("too-many-wrong-keys", wait, "Too many wrong API keys came from this address. Check the key, and try again later.")
		}
	}
	p, err := s.Authenticate(ctx.Context(), token)
	if errors.Is(err, vault.ErrAltered) {
		s.Log.Error("a caller was refused", "request_id", requestIn(ctx.Context()), "error", err)
	}
	if errors.Is(err, vault.ErrBadKey) {
		s.right.Delete(sum)
		s.wrong.note(address, s.Now())
		ctx.SetHeader("WWW-Authenticate", `Bearer realm="daybook", error="invalid_token"`)
		return principal{}, problem(http.StatusUnauthorized, vault.ErrBadKey.Code, vault.ErrBadKey.Message)
	}
	if err != nil {
		return principal{}, s.problemOf(ctx.Context(), err)
	}
	s.right.Store(sum, true)
	asked := ctx.URL()
	return principal{p, token, s.trace(ctx), asked.Query(), ctx.Method() == http.MethodGet || ctx.Method() == http.MethodDelete}, nil
}

// tooMany returns the problem of a limit that holds for some time.
func tooMany(code string, wait time.Duration, detail string) *Problem {
	p := problem(http.StatusTooManyRequests, code, detail)
	p.headers = http.Header{"Retry-After": {strconv.Itoa(int(wait/time.Second) + 1)}}
	return p
}

// fail answers a request with a problem before its handler.
func (s *server) fail(ctx huma.Context, p *Problem) {
	for name := range p.headers {
		ctx.SetHeader(name, p.headers.Get(name))
	}
	huma.WriteErr(s.api, ctx, p.Status, p.Detail, p)
}

// trace returns the correlation of what a request does: the trace of traceparent, or the request's id.
func (s *server) trace(ctx huma.Context) string {
	if parts := strings.Split(ctx.Header("traceparent"), "-"); len(parts) == 4 && len(parts[1]) == 32 {
		return s.Correlation(parts[1])
	}
	return requestIn(ctx.Context())
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
	Key    string `header:"Idempotency-Key" maxLength:"255" doc:"Unique key that makes the request safe to repeat: the same key and body get the first answer again"`
	Reason string `header:"Daybook-Reason" maxLength:"1000" doc:"Reason for the command, stored with its events"`
}

// Changing are the headers of a request for a command on a thing that is there.
type Changing struct {
	Asking
	IfMatch string `header:"If-Match" doc:"ETag of the thing as last read, or several; 412 if the thing has none of them now"`
}

// nameless finds the names of a path's parameters, which may change.
var nameless = regexp.MustCompile(`{[^}]*}`)

// by returns the work.By of a request: a route, what it is about, and the body.
func (s *server) by(ctx context.Context, a Changing, op huma.Operation, about string, body []byte) (work.By, error) {
	p := who(ctx)
	reason, err := profile.Text("Daybook-Reason", a.Reason, maxReason)
	if err != nil {
		return work.By{}, headerOf(err)
	}
	by := s.By(p.Principal, a.Key, op.Method+" "+nameless.ReplaceAllString(op.Path, "{}")+" "+about, body)
	by.Reason, by.Through, by.Correlation = reason, event.ThroughAPI, p.trace
	by.IfMatch, err = revisions(a.IfMatch)
	return by, err
}

// maxReason is the longest reason, in characters.
const maxReason = 1000

// headerOf returns the problem of a header that breaks a rule of texts.
func headerOf(err error) error {
	if no := (*domain.Error)(nil); errors.As(err, &no) {
		return parameter(no.Fields[0].Field, no.Code, "%s", no.Message)
	}
	return err
}
