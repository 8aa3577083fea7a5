package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/department"
	"daybook/domain/text"
	"daybook/domain/ticket"

	"github.com/google/uuid"
)

// A line is one line of a journal, parsed.
type line struct {
	number  int
	text    string
	request uuid.UUID // of the line's id; nil: it has none
	header
	verb      verb
	names     []mention
	malformed error
}

// A mention is the source's name of a thing, or an e-mail address.
type mention struct{ kind, name string }

// mentioned are the fields that mention things. Each is named like its kind.
var mentioned = []string{agent.Stream.Category, company.Stream.Category, contact.Stream.Category, department.Stream.Category, ticket.Stream.Category}

const anEmail = "email"

// mentions returns what a line's fields mention, as far as that is easily told.
func mentions(fields map[string]json.RawMessage) (all []mention) {
	for _, kind := range mentioned {
		var name string
		if json.Unmarshal(fields[kind], &name) == nil && name != "" {
			all = append(all, mention{kind, name})
		}
	}
	var from struct{ Email string }
	_ = json.Unmarshal(fields["from"], &from)
	var emails []string
	_ = json.Unmarshal(fields["emails"], &emails)
	for _, email := range append(emails, from.Email) {
		if email != "" {
			all = append(all, mention{anEmail, email})
		}
	}
	return all
}

// header are the fields that all lines have.
type header struct {
	ID string
	At timestamp `json:"at"`
	By string    `json:"by"`
	Do string
}

var headForm = formOf[header]("", nil)

// maxID is the longest id of a line, in bytes.
const maxID = 200

// maxAhead is how far a line may be ahead of this desk's clock: other clocks differ a little.
const maxAhead = 5 * time.Minute

// parse parses a line, which must not have happened after until, if that is set. A malformed one keeps its id, if that can be read.
func parse(t raw, until time.Time) line {
	l := line{number: t.number, text: string(t.bytes)}
	if t.tooLong {
		l.malformed = fmt.Errorf("the line is longer than %d bytes", MaxLine)
		return l
	}
	l.malformed = l.parse(t.bytes, until)
	return l
}

func (l *line) parse(data []byte, until time.Time) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return errors.New("the line is not a JSON object")
	}
	if err := text.CheckJSON(data); err != nil { // it has no id either, since two of them could look like one
		return fmt.Errorf("the line %w", err)
	}
	if err := json.Unmarshal(fields["id"], &l.ID); err != nil || l.ID == "" || len(l.ID) > maxID || text.Check(l.ID) != nil {
		l.ID = ""
		return fmt.Errorf("id must be a string of 1 to %d bytes without control characters", maxID)
	}
	if err := mustBeText(data); err != nil {
		return err
	}
	for _, name := range []string{"at", "by", "do"} {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if err := json.Unmarshal(fields["do"], &l.Do); err != nil {
		return errors.New("do must be a string")
	}
	verb, known := verbs[l.Do]
	if !known {
		return fmt.Errorf("do must be one of the verbs of docs/journal.md, not %q", l.Do)
	}
	head := map[string]json.RawMessage{"at": fields["at"], "by": fields["by"]}
	if err := headForm.read(head, nil, reflect.ValueOf(&l.header).Elem(), nil); err != nil {
		return err
	}
	if !until.IsZero() && l.At.After(until) {
		return fmt.Errorf("at must not be more than %d minutes ahead of this desk's clock", int(maxAhead.Minutes()))
	}
	l.names = mentions(fields)
	l.verb = verb.make()
	for _, name := range []string{"id", "at", "by", "do"} {
		delete(fields, name)
	}
	return l.verb.read(fields)
}

// mustBeText returns an error if a line, which is a JSON object, has a string that is no text: see the package text.
func mustBeText(data []byte) (wrong error) {
	if text.Plain(data) {
		return nil
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	text.CheckAll(fields, func(place []string, err error) {
		field := place[0]
		if text.Check(field) != nil {
			field = "the name of a field"
		}
		wrong = fmt.Errorf("%s %w", field, err)
	})
	return wrong
}

// set decodes the line's value into a field. An object is decoded as strictly as the line itself.
func set(field reflect.Value, data json.RawMessage) error {
	if t := field.Type(); t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct {
		field.Set(reflect.New(t.Elem()))
		field = field.Elem()
	}
	v := field.Addr().Interface()
	if _, own := v.(json.Unmarshaler); own || field.Kind() != reflect.Struct {
		return json.Unmarshal(data, v)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	if err := formOfType(field.Type(), "", nil).read(fields, nil, field, nil); err != nil {
		return fmt.Errorf("has a wrong field: %w", err)
	}
	return nil
}

// wrong says what is wrong with a field, without repeating its value.
func wrong(err error) string {
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return fmt.Sprintf("must not be a %s", mistyped.Value)
	}
	return err.Error()
}

// A timestamp is an instant: see domain.Instant.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New("must be a string")
	}
	var err error
	t.Time, err = domain.Instant(s)
	return err
}

// A ref is the source's name for a thing.
type ref string

func (r *ref) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New("must be a string")
	}
	if s == "" || len(s) > 1000 {
		return errors.New("must be a name of 1 to 1000 bytes")
	}
	*r = ref(s)
	return nil
}
