package domain

import (
	"errors"

	"github.com/google/uuid"
)

// IDPattern is the regular expression of an id in its plain form.
const IDPattern = `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`

// ParseID parses an id in its plain form, 36 characters with hyphens. The other forms of a UUID are no ids, since they can be
// names.
func ParseID(text string) (uuid.UUID, error) {
	if len(text) != 36 {
		return uuid.Nil, errors.New("an id has 36 characters, such as 0191f3a0-7b4e-7cc2-9d3e-1a2b3c4d5e6f")
	}
	return uuid.Parse(text)
}
