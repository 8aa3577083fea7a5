package zone

import (
	_ "embed"
	"strings"
	"sync"
)

// CountryRule is the version of what OfCountry answers.
const CountryRule = "country-zone/1"

// countries.txt has the zone of each country. Of several it is the one in which most people live.
//
//go:embed countries.txt
var ofCountries string

var byCountry = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(ofCountries) {
		country, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[country] = name
	}
	return all
})

// OfCountry returns the time zone of a country (ISO 3166, two letters) in which most of its people live, or "" if there is none.
func OfCountry(code string) string { return byCountry()[code] }

// IsCountry reports whether there is a country with a code (ISO 3166, two capital letters).
func IsCountry(code string) bool {
	_, is := byCountry()[code]
	return is
}
