package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/access"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/picture"
	"daybook/internal/square"
	"daybook/vault"
)

// Upload is a request whose body is an image.
type Upload struct {
	About
	image []byte
	wrong error // why it is none
}

// Resolve takes the body, which has arrived and is not too large.
func (u *Upload) Resolve(ctx huma.Context) []error {
	kind, _, _ := mime.ParseMediaType(ctx.Header("Content-Type"))
	if !slices.Contains(square.Types, kind) {
		u.wrong = problem(http.StatusUnsupportedMediaType, "media-type", "Send the image itself as the body, with Content-Type: image/png, image/jpeg, image/gif or image/webp.")
		return nil
	}
	u.image, u.wrong = io.ReadAll(ctx.BodyReader())
	return nil
}

// largest is the key of the largest body of an operation in its metadata, if it has one of its own.
const largest = "largest"

// PictureQuery is a query for a picture.
type PictureQuery struct {
	OneThing
	Size string `query:"size" enum:"512,64" default:"512" doc:"Pixels along each side"`
}

// A Shown is an image, with the policy that keeps a browser from running anything in it.
type Shown struct {
	ETag     string `header:"ETag" doc:"Another picture has another one"`
	Position string `header:"Daybook-Position" doc:"Position of the read models that answered"`
	StaleBy  string `header:"Daybook-Stale-By" doc:"Number of events by which the answer is older than Daybook-After; only if it is older"`
	Type     string `header:"Content-Type"`
	Policy   string `header:"Content-Security-Policy"`
	Cache    string `header:"Cache-Control"`
	Body     []byte
}

// pictures binds the routes of the things' pictures. Permission and decision are the commands'.
func pictures[Set, Remove work.Command[S, E], S any, E event.Event, R interface {
	Pictures() (large, small uuid.UUID)
}](t *resource[S, E, R], noun, set, get, remove string, picturing func(picture.Picture) Set) {
	path := t.one() + "/avatar"
	var none Set
	op := command(route{http.MethodPut, path, t.title, set, "Set the picture of " + noun + ". The body is the image: PNG, JPEG, GIF (its first frame) or WebP (not animated), at most 5 MiB and 16 megapixels. " +
		"Its middle is kept as a square, upright, without metadata. The picture before is destroyed", none.Permission()})
	op.Metadata[largest] = int64(square.MaxBytes)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, kind := range square.Types {
		op.RequestBody.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	}
	noteCommand[Set](t.server, op)
	huma.Register(t.api, op, func(ctx context.Context, in *Upload) (*Changed[R], error) {
		return carry(ctx, t, in.Changing, op, in.about(), in.image, func(by work.By) (access.Outcome, error) {
			if err := by.MustMay(none.Permission()); err != nil {
				return access.Outcome{}, err
			}
			if in.wrong != nil {
				return access.Outcome{}, in.wrong
			}
			return setPicture(ctx, t, in.ID, in.image, by, func(p picture.Picture) work.Command[S, E] { return picturing(p) })
		})
	})

	shows := conditional(describe(route{http.MethodGet, path, t.title, get, "Get the picture of " + noun + ", now or in the past. One that was replaced or removed since is destroyed: 410", t.reading}))
	image := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	shows.Responses["200"] = &huma.Response{Description: "The picture: JPEG, or PNG where it is transparent", Content: map[string]*huma.MediaType{"image/jpeg": image, "image/png": image}}
	huma.Register(t.api, shows, func(ctx context.Context, in *PictureQuery) (*Shown, error) {
		answer, err := showPicture(ctx, t, in)
		if err != nil {
			return nil, t.refused(ctx, err)
		}
		return answer, nil
	})

	var no Remove
	drop := command(route{http.MethodDelete, path, t.title, remove, "Remove the picture of " + noun + ", and destroy it", no.Permission()})
	noteCommand[Remove](t.server, drop)
	huma.Register(t.api, drop, func(ctx context.Context, in *About) (*Changed[R], error) {
		return carry(ctx, t, in.Changing, drop, in.about(), nil, func(by work.By) (access.Outcome, error) {
			a, err := work.Do(ctx, t.Desk, t.kind, in.ID, work.Command[S, E](no), by)
			return outcome(t.kind, a), errors.Join(err, destroyed(ctx, t.server, a.Written))
		})
	})
}

// setPicture makes a picture of an image and keeps it, before the event that names it is stored; the one before is destroyed after that.
// If the process is killed between, what no thing names is left: see lostPictures in cmd/daybook. The ids are those of the request,
// so that a repeated request keeps nothing twice.
func setPicture[S any, E event.Event, R interface {
	Pictures() (large, small uuid.UUID)
}](ctx context.Context, t *resource[S, E, R], id uuid.UUID, image []byte, by work.By, set func(picture.Picture) work.Command[S, E]) (access.Outcome, error) {
	before, err := work.State(ctx, t.Desk, t.kind, id)
	if err == nil {
		err = t.kind.Must(before.State)
	}
	if err != nil {
		return access.Outcome{}, err
	}
	large, small, err := square.Make(ctx, image)
	if err != nil {
		return access.Outcome{}, unreadable(err)
	}
	p := picture.Picture{Large: uuid.NewSHA1(by.Request, []byte("large picture")), Small: uuid.NewSHA1(by.Request, []byte("small picture"))}
	keep := func() (there bool, err error) {
		return t.Vault.KeepBlobs(ctx, id, map[uuid.UUID][]byte{p.Large: large, p.Small: small})
	}
	there, err := keep()
	if errors.Is(err, personal.ErrForgotten) {
		err = domain.Conflict("person-forgotten", "The person was forgotten: no picture of them can be stored any more.")
	}
	if err != nil {
		return access.Outcome{}, err
	}
	a, err := work.Do(ctx, t.Desk, t.kind, id, set(p), by)
	if _, refused := errors.AsType[*domain.Error](err); refused && !there {
		return access.Outcome{}, errors.Join(err, t.Vault.DropBlobs(ctx, p.IDs()...))
	}
	if err == nil && a.Replayed { // it may have been replaced since, and is then not kept again
		var row R
		if row, _, err = t.folded(ctx, id); err == nil {
			if large, _ := row.Pictures(); large != p.Large {
				return outcome(t.kind, a), t.Vault.DropBlobs(ctx, p.IDs()...)
			}
		}
	}
	if err == nil && there { // perhaps for so long that it was taken for lost in the meantime
		_, err = keep()
	}
	return outcome(t.kind, a), errors.Join(err, destroyed(ctx, t.server, a.Written))
}

// unreadable returns the refusal of an image that is not read.
func unreadable(err error) error {
	switch {
	case errors.Is(err, square.ErrNoImage):
		return domain.Invalid("body", "picture-malformed", "The body is no PNG, JPEG, GIF or WebP image, or the image is damaged. Send another one.")
	case errors.Is(err, square.ErrPixels):
		return domain.Invalid("body", "picture-too-many-pixels", "The image has more than 16 megapixels. Send a smaller one.")
	case errors.Is(err, square.ErrAnimated):
		return domain.Invalid("body", "picture-animated", "The image is an animated WebP. Send one that does not move, or a GIF, whose first frame is taken.")
	}
	return err
}

// destroyed destroys the pictures that events say are destroyed.
func destroyed(ctx context.Context, s *server, written []event.Written) error {
	for _, e := range written {
		if of, is := e.Event.(interface{ Destroyed() []uuid.UUID }); is {
			if err := s.Vault.DropBlobs(context.WithoutCancel(ctx), of.Destroyed()...); err != nil {
				return fmt.Errorf("destroying a picture: %w", err)
			}
		}
	}
	return nil
}

// showPicture returns the picture that a thing has or had.
func showPicture[S any, E event.Event, R interface {
	Pictures() (large, small uuid.UUID)
}](ctx context.Context, t *resource[S, E, R], in *PictureQuery) (*Shown, error) {
	as := func(row R, _ source) (R, error) { return row, nil }
	ask := now[R, S, E, R]
	if in.AsOf != "" {
		ask = then[R, S, E, R]
	}
	row, err := ask(ctx, t, in.OneThing, as)
	if err != nil {
		return nil, err
	}
	shown, err := pictureIn(ctx, t, in, row.Body, row)
	if in.AsOf == "" && errors.Is(err, errDestroyed) { // the read models may lack the one that has replaced it
		newer, at, foldErr := t.folded(ctx, in.ID)
		if foldErr != nil {
			return nil, foldErr
		}
		row.Position, row.StaleBy = at.String(), ""
		shown, err = pictureIn(ctx, t, in, newer, row)
	}
	return shown, err
}

var errDestroyed = problem(http.StatusGone, "picture-destroyed", "This picture was destroyed: it was replaced or removed, or the person was forgotten.")

// pictureIn returns the picture that a row names.
func pictureIn[S any, E event.Event, R interface {
	Pictures() (large, small uuid.UUID)
}](ctx context.Context, t *resource[S, E, R], in *PictureQuery, row R, from *Answered[R]) (*Shown, error) {
	id, small := row.Pictures()
	if id == uuid.Nil {
		return nil, domain.NotFound("picture-unknown", "There is no picture of this %s. Set one with PUT.", t.kind.Category)
	}
	if in.Size == strconv.Itoa(square.Small) {
		id = small
	}
	data, err := t.Vault.Blob(ctx, in.ID, id)
	switch {
	case errors.Is(err, vault.ErrNoBlob), errors.Is(err, personal.ErrForgotten):
		return nil, errDestroyed
	case err != nil:
		return nil, err
	}
	shown := &Shown{
		ETag: strconv.Quote(id.String()), Position: from.Position, StaleBy: from.StaleBy, Type: http.DetectContentType(data),
		Policy: "default-src 'none'; sandbox; frame-ancestors 'none'", Cache: "private, no-cache", Body: data,
	}
	return shown, unlessSeen(in.IfNoneMatch, shown.ETag, shown.Position)
}
