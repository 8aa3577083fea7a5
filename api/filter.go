package api

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/table"
)

// none is the value of a filter for what refers to nothing.
const none = "none"

// A reference is a filter of a list: the id of a thing, or none, and what it becomes; empty: there is no filter.
type reference struct {
	parameter, ref, text string
	to                   **table.Ref
}

// refer finds the things that filters name. One that is not there is refused, rather than answered with an empty list.
func (s *server) refer(ctx context.Context, q table.Queryer, all ...reference) error {
	var errs []error
	for _, of := range all {
		if of.text == "" {
			continue
		}
		*of.to = new(table.Ref)
		if of.text == none {
			continue
		}
		var id *uuid.UUID
		if err := s.resolveAll(ctx, q, naming{of.parameter, of.ref, of.text, &id}); err != nil {
			errs = append(errs, err)
			continue
		}
		**of.to = table.Ref(*id)
	}
	return domain.Join(errs...)
}

// Tags are the parameters of a list of things that have tags.
type Tags struct {
	Tag    []string `query:"tag,explode" doc:"Only those with this tag, by id or name, or with one of several, separated by commas; repeat to require several at once. none: only those without tags. A name that has commas is looked for first"`
	TagNot []string `query:"tag_not,explode" doc:"Only those without this tag, by id or name; repeat, or separate by commas, for several. none: only those with tags"`
}

// tagged finds the tags of one registry that a query names.
func (s *server) tagged(ctx context.Context, q table.Queryer, scope tag.Scope, in Tags) (f readmodels.Tagged, err error) {
	var errs []error
	for _, value := range in.Tag {
		if value == none {
			f.None = true
			continue
		}
		some, err := s.someTags(ctx, q, "tag", scope, value)
		f.All, errs = append(f.All, some), append(errs, err)
	}
	for _, value := range in.TagNot {
		if value == none {
			f.Some = true
			continue
		}
		some, err := s.someTags(ctx, q, "tag_not", scope, value)
		f.Not, errs = append(f.Not, some...), append(errs, err)
	}
	return f, domain.Join(errs...)
}

// someTags returns the tag that a value names, or else those that it lists.
func (s *server) someTags(ctx context.Context, q table.Queryer, parameter string, scope tag.Scope, value string) (ids []uuid.UUID, err error) {
	find := func(name string) error {
		var id *uuid.UUID
		err := s.resolveAll(ctx, q, naming{parameter, "tag/" + string(scope), name, &id})
		if err == nil {
			ids = append(ids, *id)
		}
		return err
	}
	err = find(value)
	no, is := errors.AsType[*domain.Error](err)
	names := strings.Split(value, ",")
	if !is || no.Code != tag.Stream.Unknown.Code || len(names) == 1 {
		return ids, err
	}
	for _, name := range names {
		name = strings.TrimSpace(name)
		if name == "" {
			return nil, domain.Invalid(parameter, "parameter-empty", "%s has nothing between two commas. Leave the comma out, or name a tag there.", parameter)
		}
		if err := find(name); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// A bound is a parameter that is an instant, or empty.
type bound struct {
	name, text string
	to         *table.Instant
}

// bounds reads instants.
func bounds(all ...bound) error {
	var errs []error
	for _, b := range all {
		var err error
		*b.to, err = instantOf(b.name, b.text)
		errs = append(errs, err)
	}
	return domain.Join(errs...)
}
