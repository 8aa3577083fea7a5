package table

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// A Ref is the id of another entity, or none: null in the database and in JSON.
type Ref uuid.UUID

// Value stores the id as text, or null.
func (r Ref) Value() (driver.Value, error) {
	if r == (Ref{}) {
		return nil, nil
	}
	return uuid.UUID(r).String(), nil
}

// Scan reads what Value stored.
func (r *Ref) Scan(src any) error {
	if src == nil {
		*r = Ref{}
		return nil
	}
	return (*uuid.UUID)(r).Scan(src)
}

// MarshalJSON writes the id as a string, or null.
func (r Ref) MarshalJSON() ([]byte, error) {
	if r == (Ref{}) {
		return []byte("null"), nil
	}
	return []byte(`"` + uuid.UUID(r).String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Ref) UnmarshalJSON(data []byte) error {
	var id uuid.NullUUID
	if err := json.Unmarshal(data, &id); err != nil {
		return err
	}
	*r = Ref(id.UUID)
	return nil
}

// An Instant is a time in microseconds since the beginning of the year 1, UTC, which is Go's zero time. 0 means none: null in the
// database and in JSON.
type Instant int64

// since1970 is 1970, from which databases count.
var since1970 = Instant(-time.Time{}.UnixMicro())

// At returns a time as an Instant; the zero time is 0.
func At(t time.Time) Instant { return Instant(t.UnixMicro()) + since1970 }

// Time returns the instant as a time in UTC; the zero time for 0.
func (i Instant) Time() time.Time { return time.UnixMicro(i.Stored()).UTC() }

// Stored returns the microseconds since 1970, as the instant is stored.
func (i Instant) Stored() int64 { return int64(i - since1970) }

// Value stores the microseconds since 1970, or null.
func (i Instant) Value() (driver.Value, error) {
	if i == 0 {
		return nil, nil
	}
	return i.Stored(), nil
}

// Scan reads what Value stored.
func (i *Instant) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*i = 0
	case int64:
		*i = Instant(v) + since1970
	default:
		return fmt.Errorf("an instant is stored as a number, not as %T", src)
	}
	return nil
}

// MarshalJSON writes RFC 3339 in UTC, or null.
func (i Instant) MarshalJSON() ([]byte, error) {
	if i == 0 {
		return []byte("null"), nil
	}
	return i.Time().MarshalJSON()
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (i *Instant) UnmarshalJSON(data []byte) error {
	var t *time.Time
	if err := json.Unmarshal(data, &t); err != nil {
		return err
	}
	*i = 0
	if t != nil {
		*i = At(*t)
	}
	return nil
}

// A List is a column that holds several values, as JSON. A list in a row is replaced, never changed in place.
type List[T any] []T

// Value stores the list as a JSON array.
func (l List[T]) Value() (driver.Value, error) {
	data, err := l.MarshalJSON()
	return string(data), err
}

// Scan reads what Value stored.
func (l *List[T]) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), (*[]T)(l))
	case []byte:
		return json.Unmarshal(v, (*[]T)(l))
	}
	return fmt.Errorf("a list is stored as text, not as %T", src)
}

// MarshalJSON writes an array, never null.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if len(l) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}
