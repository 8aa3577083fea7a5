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

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/eventstore"
	"daybook/readmodels/table"
)

// Reading are the headers that every query takes.
type Reading struct {
	After  string `header:"Daybook-After" doc:"Wait until the read models have reached this position, the Daybook-Position of an earlier answer"`
	Prefer string `header:"Prefer" doc:"wait=N waits at most N seconds for Daybook-After (default 5, at most 60); handling=strict returns 409 rather than older data"`
}

// Listing are the parameters that every list takes.
type Listing struct {
	Reading
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Largest number of rows to return"`
	Cursor string `query:"cursor" doc:"Cursor of the page, which is next of the page before"`
	Sort   string `query:"sort" doc:"Column to sort by; prefix with - for descending order. position is where the last change stands in the log: sort by it to copy changes, since instants may go back"`
}

func (l Listing) listing() Listing { return l }

// Answered is the answer to a query.
type Answered[B any] struct {
	ETag     string `header:"ETag" doc:"Revision of the thing, if the answer is one thing"`
	Position string `header:"Daybook-Position" doc:"Position of the read models that answered"`
	StaleBy  string `header:"Daybook-Stale-By" doc:"Number of events by which the answer is older than Daybook-After; only if it is older"`
	Link     string `header:"Link" doc:"Link to the next page of a list"`
	Body     B
}

// A List is a page of rows.
type List[R any] struct {
	Data []R     `json:"data" doc:"Rows of the page"`
	Next *string `json:"next" doc:"Cursor of the next page; null on the last page. A page may be short, even empty, and have a next"`
}

// read waits for the read models if the request wants it, and queries them.
func read[B any](ctx context.Context, s *server, r Reading, p role.Permission, ask func(table.Queryer) (B, error)) (*Answered[B], error) {
	return readAt(ctx, s, r, p, func(q table.Queryer, _ eventstore.Position) (B, error) { return ask(q) })
}

// readAt is read for what depends on the position that the read models have reached.
func readAt[B any](ctx context.Context, s *server, r Reading, p role.Permission, ask func(table.Queryer, eventstore.Position) (B, error)) (*Answered[B], error) {
	if err := s.may(ctx, p); err != nil {
		return nil, s.refused(ctx, err)
	}
	stale, err := s.await(ctx, r)
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	answer := &Answered[B]{StaleBy: stale}
	err = s.Live.Read(func(db *table.DB) (err error) {
		at := db.Reached()
		answer.Position = at.String()
		answer.Body, err = ask(db.Readers, at)
		return err
	})
	if err != nil {
		return nil, s.refused(ctx, err)
	}
	return answer, nil
}

// await waits until the read models have reached the position of Daybook-After. If that takes too long, it returns the
// number of events that they lack.
func (s *server) await(ctx context.Context, r Reading) (stale string, err error) {
	if r.After == "" {
		return "", nil
	}
	after, err := eventstore.ParsePosition(r.After)
	if err != nil {
		return "", domain.Invalid("Daybook-After", "position-malformed", "Daybook-After must be the Daybook-Position of an earlier answer.")
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
		return "", problem(http.StatusConflict, "not-yet", "The read models have not reached this position yet. Try again, or leave out handling=strict.")
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

// listing queries a page of rows.
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

// after returns the cursor and the link of the next page. The cursor is sealed, since it may hold a person's name and URLs
// end up in logs.
func (s *server) after(ctx context.Context, path, cursor string) (next *string, link string) {
	sealed := s.Vault.Seal(cursor)
	again := maps.Clone(who(ctx).asked)
	again.Set("cursor", sealed)
	return &sealed, "<" + path + "?" + again.Encode() + `>; rel="next"`
}

// unseal opens a cursor; an empty one stays empty.
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

// placed returns the cursor of the page that begins at a place in what is read in its own order: the log or a stream.
func placed(in string, at uint64) string { return in + " " + strconv.FormatUint(at, 10) }

// place returns the place of a cursor that was made for the same log or stream, and reports whether there is one.
func (s *server) place(in, cursor string) (at uint64, is bool, err error) {
	text, err := s.unseal(cursor)
	if err != nil || text == "" {
		return 0, false, err
	}
	number, is := strings.CutPrefix(text, in+" ")
	if at, err = strconv.ParseUint(number, 10, 63); !is || err != nil {
		return 0, false, table.ErrCursor
	}
	return at, true, nil
}

// OneThing are the parameters of a query for one thing.
type OneThing struct {
	Reading
	ID          uuid.UUID `path:"id" format:"uuid" doc:"Id of the thing"`
	AsOf        string    `query:"as_of" doc:"Returns the thing, and what it refers to, as it was: after what had happened by an instant (RFC 3339), or at a position of the log"`
	IfNoneMatch string    `header:"If-None-Match" doc:"ETags that the client has; 304 if the thing still has one of them and the query expands nothing"`
}

// one returns the parameters, for queries that have more.
func (o OneThing) one() OneThing { return o }

// OnePlain is a query for a thing that refers to nothing.
type OnePlain struct{ OneThing }

func (OnePlain) expands() []string { return nil }

// get binds a GET on one thing to its row: the current one from the read model, or a past one from its stream.
func get[S any, E event.Event, R any](t *resource[S, E, R], id, summary string) {
	gets[OnePlain](t, id, summary, plain[R]())
}

// gets is get with a view. With what is expanded, the answer may change while the thing does not, so that it is never a 304.
func gets[In interface {
	one() OneThing
	expands() []string
}, X, S any, E event.Event, R any](t *resource[S, E, R], id, summary string, v view[R, X]) {
	huma.Register(t.api, conditional(describe(route{http.MethodGet, t.one(), t.title, id, summary, t.reading})), func(ctx context.Context, in *In) (*Answered[X], error) {
		one, expand := (*in).one(), (*in).expands()
		show := func(row R, from source) (x X, err error) {
			shown, err := v.show(ctx, from, []R{row}, expand)
			if err == nil {
				x = shown[0]
			}
			return x, err
		}
		ask := now[X, S, E, R]
		if one.AsOf != "" {
			ask = then[X, S, E, R]
		}
		answer, err := ask(ctx, t, one, show)
		if err == nil && len(expand) == 0 {
			err = unlessSeen(one.IfNoneMatch, answer.ETag, answer.Position)
		}
		if err != nil {
			return nil, t.refused(ctx, err)
		}
		return answer, nil
	})
}

// seen reports whether a caller with a sight sees a row.
func seen(row any, s role.Sight) bool {
	hidden, may := row.(interface{ SeenBy(role.Sight) bool })
	return !may || hidden.SeenBy(s)
}

// now returns a thing from the read model or, if that does not have it yet, from its stream.
func now[X, S any, E event.Event, R any](ctx context.Context, t *resource[S, E, R], in OneThing, show func(R, source) (X, error)) (*Answered[X], error) {
	var revision int64
	var newer eventstore.Position // what the answer knows beyond the read model
	answer, err := read(ctx, t.server, in.Reading, t.reading, func(q table.Queryer) (x X, err error) {
		row, at, err := t.row(ctx, q, in.ID)
		if err != nil {
			return x, err
		}
		revision, newer = t.revision(row), at
		return show(row, source{queryer: q})
	})
	if err != nil {
		return nil, err
	}
	if answer.ETag = etag(eventstore.Revision(revision)); newer > 0 {
		answer.Position, answer.StaleBy = newer.String(), ""
	}
	return answer, nil
}

// row returns a thing's row from the read model or, if that does not have it yet, from its stream, with the position of its
// last event. The caller must see it.
func (t *resource[S, E, R]) row(ctx context.Context, q table.Queryer, id uuid.UUID) (row R, newer eventstore.Position, err error) {
	found := false
	if q != nil {
		row, found, err = table.One[R](ctx, q, t.table, id)
	}
	if err == nil && !found {
		row, newer, err = t.folded(ctx, id)
	}
	if err == nil && !seen(row, who(ctx).Sight) {
		err = t.kind.Unknown
	}
	return row, newer, err
}

// folded returns a thing's row from its stream, with the position of its last event.
func (t *resource[S, E, R]) folded(ctx context.Context, id uuid.UUID) (row R, at eventstore.Position, err error) {
	folded, err := t.Rows.AsOf(ctx, t.kind.Category, id, func(event.Metadata, eventstore.Revision, eventstore.Position) bool { return true })
	if errors.Is(err, table.ErrNoRow) {
		return row, 0, t.kind.Unknown
	}
	if err != nil {
		return row, 0, err
	}
	return folded.Row.(R), folded.Position, nil
}

// must returns Unknown if there is no such thing, or none that the caller sees.
func (t *resource[S, E, R]) must(ctx context.Context, q table.Queryer, id uuid.UUID) error {
	_, _, err := t.row(ctx, q, id)
	return err
}

// then returns a thing as it was, folded from its stream. The caller must see it as it was, and as it is now. What they do
// not see is refused as if there had been no such thing.
func then[X, S any, E event.Event, R any](ctx context.Context, t *resource[S, E, R], in OneThing, show func(R, source) (X, error)) (*Answered[X], error) {
	if err := t.may(ctx, t.reading); err != nil {
		return nil, err
	}
	keep, err := t.cutAt(ctx, in.AsOf)
	if err != nil {
		return nil, err
	}
	row, err := t.Rows.AsOf(ctx, t.kind.Category, in.ID, keep)
	sees := err == nil && seen(row.Row, who(ctx).Sight)
	if sees {
		sees, err = work.Sees(ctx, t.Desk, t.kind, in.ID, who(ctx).Sight)
	}
	if errors.Is(err, table.ErrNoRow) || err == nil && !sees {
		return nil, domain.NotFound(t.kind.Unknown.Code, "There was no such %s at that time. Check its id and as_of.", t.kind.Category)
	}
	if err != nil {
		return nil, err
	}
	body, err := show(row.Row.(R), source{rows: t.Rows, keep: keep})
	if err != nil {
		return nil, err
	}
	return &Answered[X]{ETag: etag(row.Revision), Position: row.Position.String(), Body: body}, nil
}

// kept reports whether an event is one of those that had happened.
type kept = func(event.Metadata, eventstore.Revision, eventstore.Position) bool

// cutAt returns which events to fold for a thing as of a past moment.
func (s *server) cutAt(ctx context.Context, asOf string) (kept, error) {
	at, until, err := moment("as_of", asOf)
	if err != nil {
		return nil, err
	}
	if at.After(s.Now()) {
		return nil, parameter("as_of", "instant-in-future", "as_of must not be in the future. Use an instant up to now.")
	}
	if at.IsZero() {
		err = s.MustHave(ctx, "as_of", until)
	} else {
		until, err = s.Desk.Store.Head(ctx)
	}
	if err != nil {
		return nil, err
	}
	return func(m event.Metadata, _ eventstore.Revision, p eventstore.Position) bool {
		return p <= until && (at.IsZero() || !m.At.After(at))
	}, nil
}

// moment parses a moment: a position, or an instant.
func moment(field, text string) (at time.Time, p eventstore.Position, err error) {
	if p, err := eventstore.ParsePosition(text); err == nil {
		return at, p, nil
	}
	if at, err = domain.Instant(text); err != nil {
		err = parameter(field, "instant-malformed", "%s must be an instant from 1900 to 2200, such as 2012-01-01T00:00:00+01:00, or a position of the log.", field)
	}
	return at, 0, err
}

// instantOf parses an instant; empty means no limit.
func instantOf(field, text string) (table.Instant, error) {
	if text == "" {
		return 0, nil
	}
	at, err := domain.Instant(text)
	if err != nil {
		return 0, domain.Invalid(field, "instant-malformed", "%s %v.", field, err)
	}
	return table.At(at), nil
}
