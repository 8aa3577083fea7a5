package personal

import (
	"bytes"
	"crypto/cipher"
	"encoding/gob"
	"errors"
	"reflect"
	"strconv"

	"github.com/google/uuid"
)

// Snapshots returns the subject whose key seals what is kept outside the log of what was folded from it, after keys were destroyed
// so often. Whoever destroys keys destroys this one with them, so that nothing that was erased can be opened there.
func Snapshots(destroyed int) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte("daybook snapshots "+strconv.Itoa(destroyed)))
}

// Enclose encodes structs and seals them as a whole, bound to what they are. Inside the seal their texts are as they are.
func Enclose(key cipher.AEAD, what string, values ...any) ([]byte, error) {
	var plain bytes.Buffer
	to := gob.NewEncoder(&plain)
	for _, v := range values {
		if reflect.TypeOf(v).NumField() == 0 {
			continue
		}
		bared, err := rewrite(v, func(t *Text, _ []byte) error {
			if *t != (Text{}) {
				*t = Text{value: string([]byte{byte(t.form)}) + t.value, form: bare}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := to.Encode(bared); err != nil {
			return nil, err
		}
	}
	return key.Seal(nil, nil, plain.Bytes(), []byte(what)), nil
}

// Disclose opens and decodes what Enclose made, into pointers to structs of the same types.
func Disclose(key cipher.AEAD, what string, box []byte, into ...any) error {
	plain, err := key.Open(nil, nil, box, []byte(what))
	if err != nil {
		return err
	}
	from := gob.NewDecoder(bytes.NewReader(plain))
	for _, v := range into {
		if reflect.TypeOf(v).Elem().NumField() == 0 {
			continue
		}
		if err := from.Decode(v); err != nil {
			return err
		}
	}
	return nil
}

// GobEncode fails but for Enclose.
func (t Text) GobEncode() ([]byte, error) {
	if t.form != bare && t != (Text{}) {
		return nil, errors.New("personal text would be stored unsealed")
	}
	return []byte(t.value), nil
}

// GobDecode decodes what Enclose encoded.
func (t *Text) GobDecode(data []byte) error {
	*t = Text{}
	if len(data) > 0 {
		*t = Text{value: string(data[1:]), form: form(data[0])}
	}
	return nil
}
