// Package personal stores text about people so that it can be erased.
//
// A Text is plain in memory and sealed in the log: AES-256-GCM under the key of the person it is about, bound to the
// stream, event and field that hold it. Destroying the key erases the text, in every copy of the log. Text is a type of its
// own so that no field is overlooked: a Text that is not sealed cannot be stored.
//
// What must still be found or compared after that is stored as a keyed hash beside the text: see Hashed.
//
// The stored form is the string "$1$" and, in unpadded URL-safe base64, the 16 bytes of the subject's id, the nonce,
// the ciphertext and the tag. An empty text is stored as an empty string.
package personal

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// A Text is a value about a person. The zero Text is empty.
type Text struct {
	value string
	form  form
}

type form uint8

const (
	plain     form = iota
	sealed         // value is the stored form
	forgotten      // the key is destroyed; value is empty
	bare           // inside Enclose: value is the form and the value
)

const prefix = "$1$"

// Erased is shown in place of a text whose key was destroyed.
const Erased = "[erased]"

// New returns a plain text.
func New(value string) Text { return Text{value: value} }

// String returns the plain value, "[sealed]" for a text that was not opened, or Erased.
func (t Text) String() string {
	switch t.form {
	case forgotten:
		return Erased
	case sealed:
		return "[sealed]"
	}
	return t.value
}

// Empty reports whether there is no text.
func (t Text) Empty() bool { return t.form == plain && t.value == "" }

// MarshalJSON returns the sealed form. It fails for a plain text that is not empty: call Seal first.
func (t Text) MarshalJSON() ([]byte, error) {
	if t.form != sealed && !t.Empty() {
		return nil, errors.New("personal text would be stored unsealed")
	}
	return json.Marshal(t.value)
}

// UnmarshalJSON parses the sealed form; Open decrypts it.
func (t *Text) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	switch {
	case s == "":
		*t = Text{}
	case strings.HasPrefix(s, prefix):
		*t = Text{value: s, form: sealed}
	default:
		return errors.New("personal text is stored unsealed")
	}
	return nil
}

// Forgotten reports whether the text's key was destroyed.
func (t Text) Forgotten() bool { return t.form == forgotten }

// A Hashed text can be compared and found by its hash, also when it cannot be read any more.
type Hashed struct {
	Value Text      `json:"value"`
	Hash  uuid.UUID `json:"hash"`
}

// Hash returns a text with its hash.
func Hash(names Hasher, space, value string) Hashed {
	return Hashed{New(value), names.Hash(space, value)}
}

// A Hasher hashes text with a secret key of the desk, which never changes: the same text always has the same hash, and
// nobody without the key can confirm what was hashed. A space keeps the hashes of different things apart. The vault
// implements it.
type Hasher interface {
	Hash(space string, parts ...string) uuid.UUID
}

// A Place says which part of which event holds a text. Moved anywhere else, the text cannot be opened.
type Place struct {
	Stream string
	Type   string // of the event
	Event  uuid.UUID
	Part   Part
}

// A Part is a part of a stored event.
type Part string

// The parts.
const (
	Data     Part = "data"
	Metadata Part = "metadata"
)

// Keys holds one key per subject, the person whom a text is about. The vault implements it.
type Keys interface {
	// Make creates a durable key for each subject that has none, unless it was destroyed. Call it only when a subject's own
	// stream begins: at any other time a missing key is lost, and another one must not take its place.
	Make(ctx context.Context, subjects ...uuid.UUID) error
	// Key returns a subject's key as an AEAD that generates its own nonces. It returns ErrForgotten if the key was
	// destroyed, and a *NoKeyError if there is none.
	Key(subject uuid.UUID) (cipher.AEAD, error)
	// Destroyed returns how often keys were destroyed. What was opened before it last changed must not be shown or used any
	// more.
	Destroyed() (int, error)
}

// ErrForgotten says that a subject's key was destroyed.
var ErrForgotten = errors.New("this person was forgotten: the key is destroyed")

// A NoKeyError says that the vault has no key of a subject, and knows of none.
type NoKeyError struct {
	Subject uuid.UUID
}

func (e *NoKeyError) Error() string {
	return fmt.Sprintf("the key of %s is missing: the vault is older than the log, or belongs to another log. Put the newer vault back; if there is none, daybook vault accept-loss gives up what is sealed under missing keys", e.Subject)
}

// Seal returns a copy of the struct v in which every text is sealed under the subject's key and bound to its place. It
// does not change v.
func Seal[T any](v T, keys Keys, subject uuid.UUID, at Place) (T, error) {
	var key cipher.AEAD
	return rewrite(v, func(t *Text, field []byte) error {
		if t.form != plain || t.value == "" {
			return nil
		}
		if key == nil {
			var err error
			if key, err = keys.Key(subject); err != nil {
				return fmt.Errorf("sealing %s for %s: %w", field, subject, err)
			}
		}
		box := make([]byte, len(subject), len(subject)+len(t.value)+key.Overhead())
		copy(box, subject[:])
		box = key.Seal(box, nil, []byte(t.value), at.binding(field))
		*t = Text{value: prefix + base64.RawURLEncoding.EncodeToString(box), form: sealed}
		return nil
	})
}

// Open decrypts every sealed text of the struct that v points to. A text whose key was destroyed reads as Erased.
func Open(v any, keys Keys, at Place) error {
	return visit(v, func(t *Text, field []byte) error {
		if t.form != sealed {
			return nil
		}
		box, err := base64.RawURLEncoding.DecodeString(t.value[len(prefix):])
		if err != nil || len(box) < 16 {
			return fmt.Errorf("opening %s: the sealed text is damaged", field)
		}
		key, err := keys.Key(uuid.UUID(box[:16]))
		if errors.Is(err, ErrForgotten) {
			*t = Text{form: forgotten}
			return nil
		}
		if err != nil {
			return fmt.Errorf("opening %s: %w", field, err)
		}
		value, err := key.Open(nil, nil, box[16:], at.binding(field))
		if err != nil {
			return fmt.Errorf("opening %s: the sealed text was altered or moved", field)
		}
		*t = Text{value: string(value)}
		return nil
	})
}

// Subjects returns whose keys seal the texts of a stored part of an event.
func Subjects(part []byte) (of []uuid.UUID) {
	begin, size := []byte(`"`+prefix), base64.RawURLEncoding.EncodedLen(18) // a multiple of 3 bytes, so that it can be decoded alone
	for {
		_, rest, found := bytes.Cut(part, begin)
		if !found || len(rest) < size {
			return of
		}
		var box [18]byte
		if _, err := base64.RawURLEncoding.Decode(box[:], rest[:size]); err == nil {
			of = append(of, uuid.UUID(box[:16]))
		}
		part = rest
	}
}

// binding returns the additional data of a sealed text: stream, type, event and part of the place, and the path of the
// field, such as addresses/0/value. None of them contains a NUL.
func (p Place) binding(field []byte) []byte {
	b := make([]byte, 0, len(p.Stream)+len(p.Type)+len(p.Event)+len(p.Part)+len(field)+4)
	b = append(append(b, p.Stream...), 0)
	b = append(append(b, p.Type...), 0)
	b = append(b, p.Event[:]...)
	b = append(append(b, p.Part...), 0)
	return append(b, field...)
}
