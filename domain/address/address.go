// Package address normalises the addresses that people write from and the names that are unique on a desk. Two spellings
// of one address are equal; two addresses are never one.
//
// Where that cannot be decided, an address is refused: a wrong refusal costs a moment, a wrong match shows one person's
// history to another.
package address

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"daybook/domain"
)

// Version is the version of the rules of this package. It is part of the space of every hashed address and name, because other rules
// make other hashes: raise it with any change after which a value is normalised to something else.
const Version = "/2"

// MaxID is how many characters an ID may have.
const MaxID = 200

// ID normalises an id that another system chose, such as the id of a visitor or of a forum's user. Nothing is known of
// its form, so only its encoding is normalised: two ids that differ in case are two.
func ID(field, value string) (string, error) {
	value, err := clean(field, value)
	value = compose(value)
	switch {
	case err != nil:
		return "", err
	case value == "":
		return "", domain.Invalid(field, "name-required", "%s must not be empty.", field)
	case utf8.RuneCountInString(value) > MaxID:
		return "", domain.Invalid(field, "text-too-long", "%s may have at most %d characters.", field, MaxID)
	}
	return value, nil
}

// handle is a handle on X, alone or at the end of the address of its profile. New handles have 4 to 15 characters; some
// older ones are shorter or longer.
var handle = regexp.MustCompile(`^(?:@|(?i:https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/)@?)?([A-Za-z0-9_]{1,50})$`)

// Handle normalises a handle on X: in lower case, without the @ or the URL before it.
func Handle(field, value string) (string, error) {
	value, err := clean(field, value)
	if err != nil {
		return "", err
	}
	parts := handle.FindStringSubmatch(value)
	if parts == nil {
		return "", domain.Invalid(field, "handle-malformed", "%s must be a handle on X, such as @eve: letters from a to z, digits and underscores.", field)
	}
	return strings.ToLower(parts[1]), nil
}

// clean removes what cannot be seen from the ends of a value and refuses it elsewhere. U+FFFD is refused because it
// stands for text that was lost: two addresses may have become one there.
func clean(field, value string) (string, error) {
	if !utf8.ValidString(value) || strings.ContainsRune(value, utf8.RuneError) {
		return "", domain.Invalid(field, "text-encoding", "%s must be UTF-8 text.", field)
	}
	value = strings.TrimFunc(value, func(r rune) bool { return unicode.IsSpace(r) || invisible(r) })
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }):
		return "", domain.Invalid(field, "text-encoding", "%s must be one line without control characters.", field)
	case strings.ContainsFunc(value, invisible):
		return "", domain.Invalid(field, "format-characters", "%s has an invisible character inside, such as a zero-width space. Type it instead of pasting it.", field)
	}
	return value, nil
}

// invisible reports whether r is a format character or another one that is not shown: a joiner, a mark of direction, a
// soft hyphen, a filler, a variation selector.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// compose returns a value in NFC, apart from the signs that NFC would replace by a letter: see sign.
func compose(value string) string {
	var composed strings.Builder
	for {
		at := strings.IndexFunc(value, sign)
		if at < 0 {
			return composed.String() + norm.NFC.String(value)
		}
		_, size := utf8.DecodeRuneInString(value[at:])
		composed.WriteString(norm.NFC.String(value[:at]))
		composed.WriteString(value[at : at+size])
		value = value[at+size:]
	}
}

// sign reports whether r is the Ohm, the Kelvin or the Ångström sign. An address with one of them is not the address that
// has the letter.
func sign(r rune) bool { return r == '\u2126' || r == '\u212a' || r == '\u212b' }
