package address

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"
)

// Digits returns the digits by which a phone number is found: all of them, those without the country code, and those that are dialled in
// the country. Of a number that cannot be read it returns its digits.
func Digits(value string) []string {
	value, _, _ = strings.Cut(value, ";ext=")
	all := digitsIn(value)
	n, err := phonenumbers.Parse(value, "")
	if err != nil {
		return []string{all}
	}
	words := []string{all, phonenumbers.GetNationalSignificantNumber(n), digitsIn(phonenumbers.Format(n, phonenumbers.NATIONAL))}
	slices.Sort(words)
	return slices.Compact(words)
}

// Sought returns the digits that find a phone number as somebody types it, or the beginning of one: without the country code if it has
// one. It is empty if the text has too few digits to be one.
func Sought(value string) string {
	value = strings.Map(simple, norm.NFC.String(value))
	all := digitsIn(value)
	if len(all) < 5 || len(all) < 7 && !strings.ContainsAny(value, "+()[]/.-") {
		return ""
	}
	abroad, zeros := strings.CutPrefix(all, "00")
	if !zeros && !strings.HasPrefix(strings.TrimLeft(value, "([ "), "+") {
		return all
	}
	n, err := phonenumbers.Parse("+"+abroad, "")
	if err != nil || !phonenumbers.IsPossibleNumber(n) { // it is a beginning
		return abroad
	}
	return phonenumbers.GetNationalSignificantNumber(n)
}

// digitsIn returns the digits of a number, those of every script as ASCII.
func digitsIn(value string) string {
	return strings.Join(digit.FindAllString(strings.Map(simple, value), -1), "")
}
