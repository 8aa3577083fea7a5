// Package personal stores text about people so that it can be erased.
//
// A Text is plain in memory and sealed in the log: AES-256-GCM under the key of the person it is about, bound to the
// event and the field that hold it. Destroying the key erases the text, in every copy of the log. Text is a type of its
// own so that no field is overlooked: a Text that is not sealed cannot be stored.
//
// The stored form is the string "$1$" and, in unpadded URL-safe base64, the 16 bytes of the subject's id, the nonce,
// the ciphertext and the tag. An empty text is stored as an empty string.
package personal

import (
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

// Keys holds one key per subject, the person whom a text is about. The vault implements it.
type Keys interface {
	// Make creates a durable key for each subject that has none. It returns ErrForgotten if a key was destroyed.
	Make(ctx context.Context, subjects ...uuid.UUID) error
	// Key returns a subject's key as an AEAD that generates its own nonces. It returns ErrForgotten if the key was
	// destroyed, and a *NoKeyError if the subject never had one.
	Key(subject uuid.UUID) (cipher.AEAD, error)
}

// ErrForgotten says that a subject's key was destroyed.
var ErrForgotten = errors.New("this person was forgotten: the key is destroyed")

// A NoKeyError says that a subject never had a key.
type NoKeyError struct {
	Subject uuid.UUID
}

func (e *NoKeyError) Error() string {
	return fmt.Sprintf("there is no key for %s: the vault does not belong to this log", e.Subject)
}

// Seal returns a copy of the struct v in which every text is sealed under the subject's key and bound to the event id.
// It does not change v.
func Seal[T any](v T, keys Keys, subject, event uuid.UUID) (T, error) {
	var key cipher.AEAD
	return rewrite(v, func(t *Text, field string) error {
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
		box = key.Seal(box, nil, []byte(t.value), binding(event, field))
		*t = Text{value: prefix + base64.RawURLEncoding.EncodeToString(box), form: sealed}
		return nil
	})
}

// Open decrypts every sealed text of the struct that v points to. A text whose key was destroyed reads as Erased.
func Open(v any, keys Keys, event uuid.UUID) error {
	return visit(v, func(t *Text, field string) error {
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
		value, err := key.Open(nil, nil, box[16:], binding(event, field))
		if err != nil {
			return fmt.Errorf("opening %s: the sealed text was altered or moved", field)
		}
		*t = Text{value: string(value)}
		return nil
	})
}

// binding returns the additional data of a sealed text: moved to another event or field, it cannot be opened.
func binding(event uuid.UUID, field string) []byte {
	return append(append(make([]byte, 0, 16+len(field)), event[:]...), field...)
}
