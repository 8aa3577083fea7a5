package contact

import (
	"iter"
	"strings"
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

// TypeOf returns the type of a contact with addresses, who has a name if named is set: a customer has the business's id, a lead a name that
// was given and an e-mail address or a phone number. A name that is only one of the addresses was not given; of a person who was forgotten
// it is not known, and empty.
func TypeOf(named bool, name string, addresses iter.Seq2[AddressKind, string]) Type {
	reached := false
	for kind, value := range addresses {
		switch kind {
		case Customer:
			return TypeCustomer
		case Email, Phone:
			reached = true
		}
		named = named && (name == "" || !strings.EqualFold(name, value))
	}
	if named && reached {
		return Lead
	}
	return Guest
}
