package main

import (
	"fmt"
	"time"

	"daybook/domain/zone"
)

// timeZone is an IANA time zone; nil: UTC.
type timeZone struct{ *time.Location }

// UnmarshalText refuses what is no time zone.
func (z *timeZone) UnmarshalText(text []byte) (err error) {
	if z.Location = nil; len(text) == 0 {
		return nil
	}
	if z.Location, err = zone.Load(string(text)); err != nil {
		err = fmt.Errorf("%q is not an IANA time zone, such as Europe/Rome", text)
	}
	return err
}
