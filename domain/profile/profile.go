// Package profile holds the fields that contacts and companies share: name, picture, address, time zone, language and a
// note. It also validates and normalises their values.
package profile

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/text"
	"daybook/domain/zone"
)

// Fields are the fields of a profile. T is the type of its personal texts, S that of its plain values.
type Fields[T, S any] struct {
	Name     T `json:"name,omitempty,omitzero" maxLength:"200" doc:"Name, 1 to 200 characters"`
	Avatar   T `json:"avatar,omitempty,omitzero" doc:"URL of a picture, http or https"`
	URL      T `json:"url,omitempty,omitzero" doc:"URL of a web page, http or https"`
	Address  T `json:"address,omitempty,omitzero" doc:"Postal address"`
	Note     T `json:"note,omitempty,omitzero" doc:"Free text"`
	TimeZone S `json:"time_zone,omitempty,omitzero" doc:"IANA time zone, such as Europe/Rome"`
	Language S `json:"language,omitempty,omitzero" doc:"BCP 47 language tag, such as it or pt-BR"`
}

// A Profile is what is known of a person or an organisation. An empty field is not known.
type Profile Fields[personal.Text, string]

// Changes are new values of some fields; nil leaves a field as it is.
type Changes Fields[*personal.Text, *string]

// Input is a profile as a caller sends it; nil leaves a field out. Commands that set a profile embed it.
type Input Fields[*string, *string]

// Apply sets the changed fields.
func (p *Profile) Apply(c Changes) {
	held, changes := reflect.ValueOf(p).Elem(), reflect.ValueOf(c)
	for i := range changes.NumField() {
		if change := changes.Field(i); !change.IsNil() {
			held.Field(i).Set(change.Elem())
		}
	}
}

// Since returns the changes that p does not hold yet, and reports whether there are any.
func (c Changes) Since(p Profile) (Changes, bool) {
	held, changes := reflect.ValueOf(p), reflect.ValueOf(&c).Elem()
	for i := range changes.NumField() {
		if change := changes.Field(i); !change.IsNil() && change.Elem().Equal(held.Field(i)) {
			change.SetZero()
		}
	}
	return c, c != Changes{}
}

// Limits of a field, in characters.
const (
	MaxName    = 200
	MaxURL     = 2_000
	MaxAddress = 2_000
	MaxNote    = 50_000
)

// Clean validates and normalises every field that is given. It returns all invalid fields in one *domain.Error.
func (in Input) Clean() (Changes, error) {
	var c Changes
	err := domain.Join(
		cleanName(in.Name, &c.Name),
		cleanURL("avatar", in.Avatar, &c.Avatar),
		cleanURL("url", in.URL, &c.URL),
		cleanText("address", in.Address, MaxAddress, &c.Address),
		cleanText("note", in.Note, MaxNote, &c.Note),
		cleanZone(in.TimeZone, &c.TimeZone),
		cleanLanguage(in.Language, &c.Language),
	)
	return c, err
}

// Text validates a text of at most limit characters, and of at most text.Max bytes. It returns it trimmed and in NFC.
func Text(field, value string, limit int) (string, error) {
	value = text.Keep(strings.TrimSpace(value))
	switch err := text.Check(value); {
	case errors.Is(err, text.ErrTooLong):
		return "", domain.Invalid(field, "text-too-long", "%s %v.", field, err)
	case err != nil:
		return "", domain.Invalid(field, "text-encoding", "%s %v.", field, err)
	case utf8.RuneCountInString(value) > limit:
		return "", domain.Invalid(field, "text-too-long", "%s may have at most %d characters.", field, limit)
	}
	return value, nil
}

// Name validates a required name of one line and at most MaxName characters, and trims it.
func Name(field, value string) (string, error) {
	value, err := Line(field, value, MaxName)
	if err == nil && value == "" {
		err = domain.Invalid(field, "name-required", "%s must not be empty.", field)
	}
	return value, err
}

// Zone validates the name of an IANA time zone.
func Zone(field, value string) (string, error) {
	if _, err := zone.Load(value); err != nil {
		return "", domain.Invalid(field, "time-zone-unknown", "%s must be an IANA time zone, such as Europe/Rome.", field)
	}
	return value, nil
}

func cleanName(in *string, out **personal.Text) error {
	if in == nil {
		return nil
	}
	value, err := Name("name", *in)
	return keep(value, err, out)
}

func cleanText(field string, in *string, limit int, out **personal.Text) error {
	if in == nil {
		return nil
	}
	value, err := Text(field, *in, limit)
	return keep(value, err, out)
}

func cleanURL(field string, in *string, out **personal.Text) error {
	if in == nil {
		return nil
	}
	value, err := URL(field, *in)
	return keep(value, err, out)
}

// URL validates the URL of a page on the web, or an empty one.
func URL(field, value string) (string, error) {
	value, err := Line(field, value, MaxURL)
	if err == nil && value != "" {
		parsed, parseErr := url.Parse(value)
		if parseErr != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			err = domain.Invalid(field, "url-malformed", "%s must be a URL that begins with https:// or http://.", field)
		}
	}
	return value, err
}

func cleanZone(in *string, out **string) error {
	if in == nil || *in == "" {
		*out = in
		return nil
	}
	value, err := Zone("time_zone", strings.TrimSpace(*in))
	*out = &value
	return err
}

func cleanLanguage(in *string, out **string) error {
	if in == nil || *in == "" {
		*out = in
		return nil
	}
	value, err := LanguageTag("language", *in)
	if err != nil {
		return err
	}
	*out = &value
	return nil
}

// LanguageTag validates a language and normalises it.
func LanguageTag(field, value string) (string, error) {
	tag, err := language.Parse(strings.TrimSpace(value))
	if err != nil || len(tag.Extensions()) > 0 { // extensions can say anything, and a language is stored readable
		return "", domain.Invalid(field, "language-unknown", "%s must be a BCP 47 tag without extensions, such as it or pt-BR.", field)
	}
	return tag.String(), nil
}

func keep(value string, err error, out **personal.Text) error {
	if err != nil {
		return err
	}
	kept := personal.New(value)
	*out = &kept
	return nil
}
