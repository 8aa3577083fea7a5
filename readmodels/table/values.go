package table

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
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

// A Date is a day in a calendar, as days since 1970-01-01. It is stored and shown as text, such as 2026-01-05.
type Date int64

// DateOf returns the date that a time shows in its zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsOfDay)
}

const secondsOfDay = 24 * 60 * 60

// Midnight returns the date's midnight in UTC.
func (d Date) Midnight() time.Time { return time.Unix(int64(d)*secondsOfDay, 0).UTC() }

// MarshalText returns the date as it is stored.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.Midnight().Format(time.DateOnly)), nil }

// Value stores the date as text.
func (d Date) Value() (driver.Value, error) { return d.Midnight().Format(time.DateOnly), nil }

// Scan reads what Value stored.
func (d *Date) Scan(src any) error {
	text, is := src.(string)
	if b, bytes := src.([]byte); bytes {
		text, is = string(b), true
	}
	if !is {
		return fmt.Errorf("a date is stored as text, not as %T", src)
	}
	t, err := time.Parse(time.DateOnly, text)
	*d = DateOf(t)
	return err
}

// Seconds are a length of time in microseconds, which can be added up exactly. They are stored and shown as seconds, exactly up to 285 years.
type Seconds int64

// Value stores the seconds.
func (s Seconds) Value() (driver.Value, error) { return float64(s) / 1e6, nil }

// Scan reads what Value stored.
func (s *Seconds) Scan(src any) error {
	f, is := src.(float64)
	if !is {
		return fmt.Errorf("seconds are stored as a number, not as %T", src)
	}
	*s = Seconds(math.Round(f * 1e6))
	return nil
}

// MarshalJSON writes the seconds as a number.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(float64(s) / 1e6) }

// A List is a column that holds several values, as JSON. A list in a row is replaced, never changed in place.
type List[T any] []T

// Value stores the list as a JSON array.
func (l List[T]) Value() (driver.Value, error) {
	if len(l) == 0 { // as most are
		return "[]", nil
	}
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
