package commands

import (
	"strings"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/contact"
	"daybook/domain/zone"
)

// countryOf validates a country.
func countryOf(field, value string) (string, error) {
	value = strings.ToUpper(strings.TrimSpace(value))
	if value != "" && !zone.IsCountry(value) {
		return "", domain.Invalid(field, "country-unknown", "%s must be a country by its two letters (ISO 3166), such as IT.", field)
	}
	return value, nil
}

// located returns events, and what follows from them for the country of a contact: a phone number that they add tells it, unless it is
// known better.
func located(before contact.Contact, events []contact.Event) []contact.Event {
	after := contact.Stream.Fold(before, events...)
	for _, e := range events {
		var added []contact.Address
		switch e := e.(type) {
		case contact.Registered:
			added = e.Addresses
		case contact.AddressAdded:
			added = []contact.Address{e.Address}
		}
		for _, a := range added {
			if a.Kind == contact.Phone && !a.Unread && after.Country == "" {
				events = lives(after, events, address.Country(a.Value.String()), contact.OfPhone)
				after = contact.Stream.Fold(before, events...)
			}
		}
	}
	return events
}

// lives adds to events that a contact lives in a country, unless a stronger source says otherwise. after is the contact after the events.
// An agent may say that it is not known.
func lives(after contact.Contact, events []contact.Event, country string, source contact.CountrySource) []contact.Event {
	switch {
	case country == "" && (source != contact.SaidByAgent || after.Country == ""),
		country == after.Country && !after.CountrySource.WeakerThan(source),
		after.Country != "" && source.WeakerThan(after.CountrySource):
		return events
	}
	e := contact.Located{Country: country, Source: source}
	if derived := zone.OfCountry(country); (after.TimeZone == "" || after.ZoneDerived) && derived != after.TimeZone {
		e.TimeZone, e.Rule = &derived, zone.CountryRule
	}
	return append(events, e)
}
