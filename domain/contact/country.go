package contact

import "slices"

// A CountrySource is from where a contact's country is known.
type CountrySource string

// The sources, the strongest first: an agent said it, the contact said it in a form, it follows from a phone number, or from where a
// visit came from.
const (
	SaidByAgent CountrySource = "agent"
	SaidInForm  CountrySource = "form"
	OfPhone     CountrySource = "phone"
	OfVisit     CountrySource = "visit"
)

// CountrySources are all sources, the strongest first.
var CountrySources = []CountrySource{SaidByAgent, SaidInForm, OfPhone, OfVisit}

// WeakerThan reports whether another source is to be believed rather.
func (s CountrySource) WeakerThan(other CountrySource) bool {
	return slices.Index(CountrySources, s) > slices.Index(CountrySources, other)
}

// Located: the country of the contact is known, or better known, or if it is empty, not known any more. A time zone that nobody gave
// follows from it.
type Located struct {
	Country  string        `json:"country"` // ISO 3166, two letters
	Source   CountrySource `json:"source"`
	TimeZone *string       `json:"time_zone,omitempty"` // nil: it stays as it is
	Rule     string        `json:"rule,omitempty"`      // by which the time zone follows: zone.CountryRule
}

// EventType returns the stored name.
func (Located) EventType() string { return "contact-located" }

func (e Located) apply(c *Contact) {
	c.Country, c.CountrySource = e.Country, e.Source
	if e.Country == "" {
		c.CountrySource = ""
	}
	if e.TimeZone != nil {
		c.TimeZone, c.ZoneDerived = *e.TimeZone, true
	}
}
