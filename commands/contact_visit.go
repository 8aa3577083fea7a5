package commands

import (
	"net/url"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// Visit is a page view on the website. Who is seen there for the first time is registered as a guest.
type Visit struct {
	Visitor  string `json:"visitor" minLength:"1" doc:"Visitor id that the website remembers, at most 200 characters"`
	Page     string `json:"page,omitempty" doc:"URL of the page. Its query and fragment are not kept"`
	Referrer string `json:"referrer,omitempty" doc:"URL of the page before. Its query and fragment are not kept"`
	Country  string `json:"country,omitempty" doc:"Country that the visit came from, by its two letters (ISO 3166)"`
	Language string `json:"language,omitempty" doc:"BCP 47 language tag of the browser"`
}

// Permission returns the permission that the caller needs.
func (Visit) Permission() role.Permission { return role.ChannelsWrite }

// Carry finds the contact with the visitor id, or registers one.
func (c Visit) Carry(w *work.Work, _ uuid.UUID, by By) (work.Answer[contact.Contact], error) {
	none := work.Answer[contact.Contact]{}
	visitor, visitorErr := contact.NewAddress(by.Names, contact.Visitor, "visitor", c.Visitor, "")
	page, pageErr := seenPage("page", c.Page)
	referrer, referrerErr := seenPage("referrer", c.Referrer)
	country, countryErr := countryOf("country", c.Country)
	var languageErr error
	if c.Language != "" {
		c.Language, languageErr = profile.LanguageTag("language", c.Language)
	}
	if err := domain.Join(visitorErr, pageErr, referrerErr, countryErr, languageErr); err != nil {
		return none, err
	}
	if err := work.Ahead(w, work.Named(visitor.Hold()), work.On(contact.Stream, firstContact(by))); err != nil {
		return none, err
	}
	who, found, err := w.Find(visitor.Hold())
	if err != nil {
		return none, err
	}
	if !found {
		if who, err = newContact(w, who, by); err != nil {
			return none, err
		}
	}
	by.Actor = event.Actor{Kind: event.Contact, ID: who}
	return work.Run(w, contact.Stream, who, visits{visitor, country, contact.Visited{
		Page: personal.New(page), Referrer: personal.New(referrer), Language: c.Language, Began: by.At.UTC().Truncate(time.Microsecond),
	}}, by)
}

// seenPage validates the URL of a page, and drops what may tell of more than the page: query, fragment and password.
func seenPage(field, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	value, err := profile.URL(field, value)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(value)
	if err != nil {
		return "", err // profile.URL has parsed it
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	return u.String(), nil
}

// visits is the step of Visit on the contact.
type visits struct {
	visitor contact.Address
	country string
	visited contact.Visited
}

// Decide registers a contact who is none yet. It records no visit that belongs to one that was recorded.
func (c visits) Decide(co contact.Contact, by By) (events []contact.Event, err error) {
	if !co.Registered {
		events = append(events, contact.Registered{Addresses: []contact.Address{c.visitor}, Visiting: true})
	} else if err := co.MustExist(); err != nil {
		return nil, err
	}
	if co.Recorded(by.At) {
		events = append(events, c.visited)
	}
	return lives(contact.Stream.Fold(co, events...), events, c.country, contact.OfVisit), nil
}

// engage is the step on a contact who did more than visit.
type engage struct{}

// Decide changes nothing for a contact who did so before.
func (engage) Decide(co contact.Contact, _ By) ([]contact.Event, error) {
	if !co.Mere {
		return nil, nil
	}
	return happened[contact.Event](contact.Engaged{})
}
