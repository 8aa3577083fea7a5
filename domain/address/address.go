// Package address is a stand-in until the real one is merged.
package address

import (
	"strings"

	"daybook/domain/profile"
)

// Version is the version.
const Version = "/2"

func Email(field, value string) (string, error)         { return profile.Email(field, value) }
func Phone(field, value, region string) (string, error) { return profile.Phone(field, value, region) }
func Handle(field, value string) (string, error) {
	v, err := profile.Name(field, value)
	return strings.ToLower(strings.TrimPrefix(v, "@")), err
}
func ID(field, value string) (string, error) { return profile.Name(field, value) }
func WhatsApp(field, value, region string) (string, error) {
	return profile.Phone(field, value, region)
}
func Name(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
