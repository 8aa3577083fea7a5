package table

import "strconv"

// Position is an event's position in the log. In JSON it is a string, because callers only hand it back.
type Position int64

// MarshalText writes the position as eventstore.Position does.
func (p Position) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(p), 10), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Position) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	*p = Position(n)
	return err
}
