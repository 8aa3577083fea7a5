package contact

import (
	"iter"
	"strings"

	"daybook/domain/personal"
)

// A Type says how well a contact is known. It is never stored: it follows from what is known.
type Type string

// The types.
const (
	Guest        Type = "guest"
	Lead         Type = "lead"
	TypeCustomer Type = "customer"
)

// Types are all types.
var Types = []Type{Guest, Lead, TypeCustomer}

// TypeRule is the version of the rule that TypeOf is.
const TypeRule = "contact-type/1"

// TypeOf returns the type of a contact with a name and addresses: a customer has the business's id, a lead a name that was given and an
// e-mail address or a phone number. A name that is only one of the addresses was not given. Who was forgotten stays what they were.
func TypeOf(name string, addresses iter.Seq2[AddressKind, string]) Type {
	named, reached := name != "", false
	for kind, value := range addresses {
		switch kind {
		case Customer:
			return TypeCustomer
		case Email, Phone:
			reached = true
		}
		named = named && (name == personal.Erased || !strings.EqualFold(name, value))
	}
	if named && reached {
		return Lead
	}
	return Guest
}
