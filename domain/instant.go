package domain

import (
	"errors"
	"time"
)

// The years of instants, in UTC. Anything else is a mistake, and some databases cannot hold it.
const (
	FirstYear = 1900
	LastYear  = 2200
)

// Instant parses an instant as RFC 3339 writes it, of the years FirstYear to LastYear.
func Instant(text string) (time.Time, error) {
	var at time.Time
	if err := at.UnmarshalText([]byte(text)); err != nil || at.UTC().Year() < FirstYear || at.UTC().Year() > LastYear {
		return time.Time{}, errors.New("must be an instant from 1900 to 2200, such as 2013-11-19T10:17:43+01:00")
	}
	return at, nil
}
