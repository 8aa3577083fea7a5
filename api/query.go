package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// Reading is what a query's request says beside what it asks.
type Reading struct {
	After  string `header:"Daybook-After" doc:"Wait until the read models have this position, which a command's answer gave"`
	Prefer string `header:"Prefer" doc:"wait=N: wait at most N seconds (5, at most 60); handling=strict: 409 rather than older data"`
}

// Listing is what a query for a list says beside its filters.
type Listing struct {
	Reading
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many rows, at most"`
	Cursor string `query:"cursor" doc:"The next of the answer before"`
	Sort   string `query:"sort" doc:"A column, with - before it for descending"`
}

func (l Listing) listing() Listing { return l }

// Answered is the answer to a query.
type Answered[B any] struct {
	ETag     string `header:"ETag" doc:"The thing's revision, for one thing"`
	Position string `header:"Daybook-Position" doc:"The position of the read models that answered"`
	StaleBy  string `header:"Daybook-Stale-By" doc:"How many events the answer is older than Daybook-After; only if it is"`
	Link     string `header:"Link" doc:"The next page, for a list"`
	Body     B
}

// A List is a page of rows.
type List[R any] struct {
	Data []R     `json:"data" doc:"The rows"`
	Next *string `json:"next" doc:"The cursor of the next page, or null"`
}

// read waits as the request wants and asks the read models.
func read[B any](ctx context.Context, s *server, r Reading, p role.Permission, ask func(table.Queryer) (B, error)) (*Answered[B], error) {
	if err := s.may(ctx, p); err != nil {
		return nil, s.refused(ctx, err)
	}
	stale, err := s.await(ctx, r)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	answer := &Answered[B]{StaleBy: stale}
	err = s.Live.Read(func(db *table.DB) (err error) {
		answer.Position = s.Live.Position().String()
		answer.Body, err = ask(db.Readers)
		return err
	})
	if err != nil {
		p := s.problemOf(ctx, err)
		if stale != "" && p.Status == http.StatusNotFound { // it may come yet
			p.headers = http.Header{"Daybook-Stale-By": {stale}}
		}
		return nil, p
	}
	return answer, nil
}

// await waits until the read models have the position that the request wants, and says by how much they lack it if that
// takes too long.
func (s *server) await(ctx context.Context, r Reading) (stale string, err error) {
	if r.After == "" {
		return "", nil
	}
	after, err := eventstore.ParsePosition(r.After)
	if err != nil {
		return "", domain.Invalid("Daybook-After", "position-malformed", "Daybook-After must be the Daybook-Position of an answer.")
	}
	if err := s.MustHave(ctx, "Daybook-After", after); err != nil {
		return "", err
	}
	patience, strict := preferences(r.Prefer)
	there, err := s.Reach(ctx, after, patience)
	if err != nil || there {
		return "", err
	}
	if strict {
		return "", problem(http.StatusConflict, "not-yet", "The read models are not at this position yet. Try again, or do without handling=strict.")
	}
	return strconv.FormatUint(uint64(after-s.Live.Position()), 10), nil
}

func preferences(prefer string) (patience time.Duration, strict bool) {
	patience = 5 * time.Second
	for part := range strings.FieldsFuncSeq(prefer, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		if seconds, found := strings.CutPrefix(part, "wait="); found {
			if n, err := strconv.Atoi(seconds); err == nil && n >= 0 {
				patience = min(time.Duration(n), 60) * time.Second
			}
		}
		strict = strict || part == "handling=strict"
	}
	return patience, strict
}

// listing asks for a page of rows.
func listing[R any](ctx context.Context, s *server, l Listing, path string, p role.Permission, ask func(table.Queryer, table.Page) (table.Found[R], error)) (*Answered[List[R]], error) {
	cursor, err := s.unseal(l.Cursor)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	next := ""
	answer, err := read(ctx, s, l.Reading, p, func(q table.Queryer) (List[R], error) {
		found, err := ask(q, table.Page{Limit: l.Limit, Cursor: cursor, Sort: l.Sort})
		next = found.Next
		return List[R]{Data: found.Rows}, err
	})
	if err == nil && next != "" {
		answer.Body.Next, answer.Link = s.after(ctx, path, next)
	}
	return answer, err
}

// after says where the next page of a list is. Its cursor is sealed: it may hold a person's name, and URLs land in logs.
func (s *server) after(ctx context.Context, path, cursor string) (next *string, link string) {
	sealed := s.Vault.Seal(cursor)
	again := maps.Clone(who(ctx).asked)
	again.Set("cursor", sealed)
	return &sealed, "<" + path + "?" + again.Encode() + `>; rel="next"`
}

// unseal opens a cursor; an empty one is none.
func (s *server) unseal(cursor string) (string, error) {
	if cursor == "" {
		return "", nil
	}
	text, ok := s.Vault.Unseal(cursor)
	if !ok {
		return "", table.ErrCursor
	}
	return text, nil
}

// OneThing asks for one thing, as it is or as it was.
type OneThing struct {
	Reading
	ID          uuid.UUID `path:"id" format:"uuid" doc:"The thing"`
	AsOf        string    `query:"as_of" doc:"As it was: an instant (RFC 3339) by when it happened, or a position of the log"`
	IfNoneMatch string    `header:"If-None-Match" doc:"ETags that the caller has; if the thing has one of them, 304"`
}

// get binds a GET on one thing to its row, as it is by the read model, or as it was by its own stream.
func get[S any, E event.Event, R any](t *resource[S, E, R], summary string) {
	huma.Register(t.api, conditional(describe(http.MethodGet, t.one(), t.title, summary)), func(ctx context.Context, in *OneThing) (*Answered[R], error) {
		ask := t.now
		if in.AsOf != "" {
			ask = t.then
		}
		answer, err := ask(ctx, in)
		if err == nil && !seen(answer.Body, who(ctx).Sight) {
			err = t.kind.Unknown
		}
		if err == nil {
			err = unlessSeen(in.IfNoneMatch, answer.ETag, answer.Position)
		}
		if err != nil {
			return nil, t.refused(ctx, err)
		}
		return answer, nil
	})
}

// seen reports whether a row is shown to somebody.
func seen(row any, s role.Sight) bool {
	hidden, may := row.(interface{ SeenBy(role.Sight) bool })
	return !may || hidden.SeenBy(s)
}

// now is a thing as the read model has it.
func (t *resource[S, E, R]) now(ctx context.Context, in *OneThing) (*Answered[R], error) {
	answer, err := read(ctx, t.server, in.Reading, t.reading, func(q table.Queryer) (R, error) {
		row, found, err := table.One[R](ctx, q, t.table, in.ID)
		if err == nil && !found {
			err = t.kind.Unknown
		}
		return row, err
	})
	if err == nil {
		answer.ETag = etag(eventstore.Revision(t.revision(answer.Body)))
	}
	return answer, err
}

// then is a thing as its stream had it.
func (t *resource[S, E, R]) then(ctx context.Context, in *OneThing) (*Answered[R], error) {
	if err := t.may(ctx, t.reading); err != nil {
		return nil, err
	}
	keep, err := t.cutAt(ctx, in.AsOf)
	if err != nil {
		return nil, err
	}
	row, err := t.Rows.AsOf(ctx, t.kind.Category, in.ID, keep)
	if errors.Is(err, table.ErrNoRow) {
		return nil, domain.NotFound(t.kind.Unknown.Code, "There was no such %s then.", t.kind.Category)
	}
	if err != nil {
		return nil, err
	}
	return &Answered[R]{ETag: etag(row.Revision), Position: row.Position.String(), Body: row.Row.(R)}, nil
}

// cutAt says which events count for a thing as it was.
func (s *server) cutAt(ctx context.Context, asOf string) (func(event.Metadata, eventstore.Revision, eventstore.Position) bool, error) {
	at, until, err := s.moment(ctx, "as_of", asOf)
	if err != nil {
		return nil, err
	}
	return func(m event.Metadata, _ eventstore.Revision, p eventstore.Position) bool {
		return p <= until && (at.IsZero() || !m.At.After(at))
	}, nil
}

// moment reads a moment of the past: a position, or an instant with where the log ends now.
func (s *server) moment(ctx context.Context, field, text string) (at time.Time, p eventstore.Position, err error) {
	if p, err := eventstore.ParsePosition(text); err == nil {
		return at, p, s.MustHave(ctx, field, p)
	}
	if at, err = time.Parse(time.RFC3339, text); err != nil {
		return at, 0, parameter(field, "instant-malformed", "%s must be an instant such as 2012-01-01T00:00:00+01:00, or a position of the log.", field)
	}
	if at.After(s.Now()) {
		return at, 0, parameter(field, "instant-in-future", "%s must not lie in the future: what will be so then is not known.", field)
	}
	p, err = s.Desk.Store.Head(ctx)
	return at, p, err
}

// instantOf reads a limit in time; empty is none.
func instantOf(field, text string) (table.Instant, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, domain.Invalid(field, "instant-malformed", "%s must be an instant such as 2012-01-01T00:00:00+01:00.", field)
	}
	return table.At(at), nil
}
