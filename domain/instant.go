package domain

import (
	"errors"
	"regexp"
	"time"
)

// The years of instants, in UTC. Anything else is a mistake, and some databases cannot hold it.
const (
	FirstYear = 1900
	LastYear  = 2200
)

// instant is the form of RFC 3339. The standard library also takes a comma, hours of one digit and offsets of 24 hours.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// Instant parses an instant as RFC 3339 writes it, of the years FirstYear to LastYear.
func Instant(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !instant.MatchString(text) || at.UTC().Year() < FirstYear || at.UTC().Year() > LastYear {
		return time.Time{}, errors.New("must be an instant from 1900 to 2200, such as 2013-11-19T10:17:43+01:00")
	}
	return at, nil
}
