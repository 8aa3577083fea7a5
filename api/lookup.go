package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/role"
	"daybook/readmodels"
)

// Identity is by what a contact is recognised.
type Identity struct {
	Kind  contact.AddressKind `json:"kind" doc:"Kind of identity"`
	Value string              `json:"value" minLength:"1" doc:"Its value, in any spelling"`
}

// LookedUp is a contact who was found by an identity.
type LookedUp struct {
	ID      uuid.UUID           `json:"id,omitzero" required:"false" doc:"The contact, if they are shown"`
	Contact *readmodels.Contact `json:"contact,omitempty" doc:"The contact, if the API key may read contacts or the identity is a visitor or customer id"`
	Known   []string            `json:"known" doc:"Names of what is known of the contact, so that nobody is asked for it again: name, email, phone, country, language and time_zone"`
}

// lookUp binds the route that finds a contact by an identity. It goes by the reservation of the identity, so that what was just written is
// found; and the identity is in the body, so that it stands in no log of requests.
func (s *server) lookUp(t *resource[contact.Contact, contact.Event, readmodels.Contact]) {
	op := describe(route{http.MethodPost, t.path + "/lookup", t.title, "lookUpContact", "Find a contact by an identity. A key that may not read contacts is shown whom it finds by a visitor or customer id; of others it learns only what is known", role.ChannelsWrite})
	op.DefaultStatus = http.StatusOK
	op.Metadata[findsOne] = true
	huma.Register(s.api, op, func(ctx context.Context, in *struct {
		Sent[struct {
			Identity Identity `json:"identity" doc:"By what to find the contact"`
		}]
	}) (*Answered[LookedUp], error) {
		found, err := s.lookedUp(ctx, in.Body.Identity)
		return found, s.refused(ctx, err)
	})
}

func (s *server) lookedUp(ctx context.Context, of Identity) (*Answered[LookedUp], error) {
	if err := s.may(ctx, role.ChannelsWrite); err != nil {
		return nil, err
	}
	a, err := s.identity("identity/value", of)
	if err != nil {
		return nil, err
	}
	now, found, err := work.Holder(ctx, s.Desk, contact.Stream, a.Hold())
	if err == nil && !found {
		err = domain.NotFound("contact-unknown", "No contact has this identity.")
	}
	if err != nil {
		return nil, err
	}
	row, err := s.Rows.At(ctx, contact.Stream.Category, now.ID, now.Revision, nil)
	if err != nil {
		return nil, err
	}
	c := row.Row.(readmodels.Contact)
	answer := &Answered[LookedUp]{Position: now.Position.String(), Body: LookedUp{Known: known(c)}}
	if of.Kind == contact.Visitor || of.Kind == contact.Customer || s.may(ctx, role.ContactsRead) == nil {
		answer.Body.ID, answer.Body.Contact = now.ID, &c
	}
	return answer, nil
}

// known names what is known of a contact.
func known(c readmodels.Contact) []string {
	all := []string{}
	for _, field := range []struct {
		name string
		is   bool
	}{
		{"name", c.Name != ""}, {"email", len(c.Emails) > 0}, {"phone", len(c.Phones) > 0}, {"country", c.Country != ""}, {"language", c.Language != ""}, {"time_zone", c.TimeZone != ""},
	} {
		if field.is {
			all = append(all, field.name)
		}
	}
	return all
}

// identity reads an identity. field is where its value came.
func (s *server) identity(field string, of Identity) (contact.Address, error) {
	return contact.NewAddress(s.Desk.Names, of.Kind, field, of.Value, s.Region)
}

// identified finds who has the identity that a parameter names as KIND:VALUE; nil: it names none, and uuid.Nil: nobody has it.
func (s *server) identified(ctx context.Context, text string) (*uuid.UUID, error) {
	if text == "" {
		return nil, nil
	}
	kind, value, _ := strings.Cut(text, ":")
	if value == "" || !contact.AddressKind(kind).Known() {
		return nil, parameter("identity", "identity-malformed", "identity must be a kind and a value, such as email:nora@example.com or customer:4711.")
	}
	a, err := s.identity("identity", Identity{contact.AddressKind(kind), value})
	if err != nil {
		return nil, err
	}
	id, found, err := work.Find(ctx, s.Desk, a.Hold())
	if !found {
		id = uuid.Nil
	}
	return &id, err
}
