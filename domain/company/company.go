// Package company is the organisations that contacts belong to. Companies are registered explicitly; no message ever
// creates one.
package company

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/field"
	"daybook/domain/personal"
	"daybook/domain/picture"
	"daybook/domain/profile"
)

// A Company is the state that rules need.
type Company struct {
	Registered bool
	Deleted    bool
	profile.Profile
	Emails []personal.Text // normalised; several companies may share one
	Phones []personal.Text // E.164
	Groups []uuid.UUID
	Fields field.Values

	Picture picture.Picture
}

// MaxAddresses is how many e-mail addresses, and how many phone numbers, a company may have.
const MaxAddresses = 50

// Stream is the kind of a company's stream.
var Stream = event.Kind[Company, Event]{
	Category: "company",
	Events:   Events,
	Apply:    func(c *Company, e Event) { e.apply(c) },
	Exists:   func(c Company) bool { return c.Registered && !c.Deleted },
	Unknown:  domain.NotFound("company-unknown", "There is no such company. Check the id, or register the company first."),
	Deleted:  func(c Company) bool { return c.Deleted },
	Gone:     domain.Conflict("company-deleted", "This company was deleted. Restore it first, with POST /v1/companies/ID/restore."),
}

// MustExist returns an error if the company does not exist.
func (c Company) MustExist() error {
	return Stream.Must(c)
}
