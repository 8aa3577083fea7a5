package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A line is one command of a journal.
type line struct {
	number int
	text   string
	header
	verb      verb
	malformed error
}

// header is what all lines have.
type header struct {
	ID string    `json:"id"`
	At timestamp `json:"at"`
	By string    `json:"by"`
	Do string    `json:"do"`
}

// A verb is what a line does, with the fields that are its own.
type verb interface {
	play(*play) (changed bool, err error)
}

// A checker is a verb whose fields depend on each other.
type checker interface {
	check() error
}

// verbs makes an empty verb for each name. docs/journal.md lists their fields.
var verbs = map[string]func() verb{
	"department.create":      func() verb { return new(departmentCreate) },
	"agent.create":           func() verb { return new(agentCreate) },
	"agent.join_department":  func() verb { return new(agentJoinDepartment) },
	"agent.leave_department": func() verb { return new(agentLeaveDepartment) },
	"agent.sign_in":          func() verb { return new(agentSignIn) },
	"agent.sign_out":         func() verb { return new(agentSignOut) },
	"agent.pause":            func() verb { return new(agentPause) },
	"agent.unpause":          func() verb { return new(agentUnpause) },
	"agent.switch":           func() verb { return new(agentSwitch) },
	"company.register":       func() verb { return new(companyRegister) },
	"company.edit":           func() verb { return new(companyEdit) },
	"company.join_group":     func() verb { return new(companyJoinGroup) },
	"company.leave_group":    func() verb { return new(companyLeaveGroup) },
	"contact.register":       func() verb { return new(contactRegister) },
	"contact.edit":           func() verb { return new(contactEdit) },
	"contact.assign_company": func() verb { return new(contactAssignCompany) },
	"contact.leave_company":  func() verb { return new(contactLeaveCompany) },
	"contact.tag":            func() verb { return new(contactTag) },
	"contact.untag":          func() verb { return new(contactUntag) },
	"contact.join_group":     func() verb { return new(contactJoinGroup) },
	"contact.leave_group":    func() verb { return new(contactLeaveGroup) },
	"ticket.open":            func() verb { return new(ticketOpen) },
	"ticket.assign":          func() verb { return new(ticketAssign) },
	"ticket.unassign":        func() verb { return new(ticketUnassign) },
	"ticket.transfer":        func() verb { return new(ticketTransfer) },
	"ticket.prioritise":      func() verb { return new(ticketPrioritise) },
	"ticket.receive":         func() verb { return new(ticketReceive) },
	"ticket.reply":           func() verb { return new(ticketReply) },
	"ticket.note":            func() verb { return new(ticketNote) },
	"ticket.tag":             func() verb { return new(ticketTag) },
	"ticket.untag":           func() verb { return new(ticketUntag) },
	"ticket.postpone":        func() verb { return new(ticketPostpone) },
	"ticket.resume":          func() verb { return new(ticketResume) },
	"ticket.resolve":         func() verb { return new(ticketResolve) },
	"ticket.reopen":          func() verb { return new(ticketReopen) },
	"ticket.close":           func() verb { return new(ticketClose) },
	"ticket.spam":            func() verb { return new(ticketSpam) },
	"ticket.unspam":          func() verb { return new(ticketUnspam) },
	"ticket.delete":          func() verb { return new(ticketDelete) },
	"ticket.restore":         func() verb { return new(ticketRestore) },
}

// maxID is the longest id of a line, in bytes.
const maxID = 200

// parse reads a line. One that is malformed keeps its id, if that can be read.
func parse(t text) line {
	l := line{number: t.number, text: string(t.bytes)}
	if t.tooLong {
		l.malformed = fmt.Errorf("the line is longer than %d bytes", MaxLine)
		return l
	}
	l.malformed = l.parse(t.bytes)
	return l
}

func (l *line) parse(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return errors.New("the line is not a JSON object")
	}
	if err := json.Unmarshal(fields["id"], &l.ID); err != nil || l.ID == "" || len(l.ID) > maxID {
		l.ID = ""
		return fmt.Errorf("id must be a string of 1 to %d bytes", maxID)
	}
	for _, name := range []string{"at", "by", "do"} {
		if _, ok := fields[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	if err := json.Unmarshal(fields["do"], &l.Do); err != nil {
		return errors.New("do must be a string")
	}
	make, known := verbs[l.Do]
	if !known {
		return fmt.Errorf("%q is nothing that a line can do", l.Do)
	}
	if err := strictly(fields, &l.header, false); err != nil {
		return err
	}
	l.verb = make()
	for _, name := range []string{"id", "at", "by", "do"} {
		delete(fields, name)
	}
	if err := strictly(fields, l.verb, true); err != nil {
		return err
	}
	if c, ok := l.verb.(checker); ok {
		return c.check()
	}
	return nil
}

// strictly sets the fields of the struct that v points to: a field without omitempty must be there, and if only is set no
// other may be.
func strictly(fields map[string]json.RawMessage, v any, only bool) error {
	known := make(map[string]bool)
	value := reflect.ValueOf(v).Elem()
	for _, f := range reflect.VisibleFields(value.Type()) {
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "" {
			continue
		}
		known[name] = true
		data, given := fields[name]
		switch {
		case !given && option != "omitempty":
			return fmt.Errorf("%s is missing", name)
		case !given:
			continue
		case bytes.Equal(data, []byte("null")):
			return fmt.Errorf("%s must not be null", name)
		}
		if err := set(value.FieldByIndex(f.Index), data); err != nil {
			return fmt.Errorf("%s %s", name, wrong(err))
		}
	}
	for name := range fields {
		if only && !known[name] {
			return fmt.Errorf("there is no field %q here", name)
		}
	}
	return nil
}

// set sets a field to what the line says. An object in a line is read as strictly as the line.
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
	if err := strictly(fields, v, true); err != nil {
		return fmt.Errorf("is wrong: %w", err)
	}
	return nil
}

// wrong says what is wrong with a field, without its value.
func wrong(err error) string {
	if mistyped := (*json.UnmarshalTypeError)(nil); errors.As(err, &mistyped) {
		return fmt.Sprintf("must not be a %s", mistyped.Value)
	}
	return err.Error()
}

// A timestamp is RFC 3339 with an offset.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New("must be a string")
	}
	parsed, err := time.Parse(time.RFC3339, s)
	if err != nil || parsed.Year() < 1970 || parsed.Year() > 9999 {
		return errors.New("must be an instant such as 2013-11-19T10:17:43+01:00, from 1970 on")
	}
	t.Time = parsed
	return nil
}

// A ref is the source's own name for a thing.
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
