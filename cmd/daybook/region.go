package main

import (
	"fmt"

	"daybook/domain/address"
)

// region is a country of phone numbers; empty: none.
type region string

// UnmarshalText refuses what is no country.
func (r *region) UnmarshalText(text []byte) error {
	if *r = region(text); *r != "" && !address.IsRegion(string(text)) {
		return fmt.Errorf("%q is not a country of ISO 3166 that has phone numbers, such as IT", text)
	}
	return nil
}
