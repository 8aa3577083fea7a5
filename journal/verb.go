package journal

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/ticket"
)

// A verb is what a line does, with its own fields.
type verb interface {
	// read reads the fields of a line other than id, at, by and do.
	read(fields map[string]json.RawMessage) error
	play(*play) (changed bool, err error)
}

// A maker makes a verb for each line.
type maker struct {
	make     func() verb
	commands []string // the types of the commands that it carries out
}

// verbs holds all verbs by name. docs/journal.md lists their fields.
var verbs = make(map[string]maker)

func init() {
	for _, of := range []map[string]maker{agentVerbs, companyVerbs, contactVerbs, departmentVerbs, ticketVerbs} {
		for name, verb := range of {
			verbs[name] = verb
		}
	}
}

// Verbs returns the verbs of each type of command or plan, by the type's name.
func Verbs() map[string][]string {
	all := make(map[string][]string)
	for name, v := range verbs {
		for _, c := range v.commands {
			all[c] = append(all[c], name)
		}
	}
	return all
}

// command returns the verb of a command on a thing of a kind. Its fields are the thing, named like its kind, and the
// command's fields that have a json name, a path tag or a line tag. A field with a ref tag holds the source's name for
// another thing. A field that is optional in the command is optional in the line too, unless required names it.
func command[C work.Command[S, E], S any, E event.Event](kind event.Kind[S, E], required ...string) maker {
	return planned(kind, func(c C) work.Plan[S] { return work.Of(kind, c) }, required...)
}

// plan returns the verb of a plan on a thing of a kind.
func plan[P work.Plan[S], S any, E event.Event](kind event.Kind[S, E], required ...string) maker {
	return planned(kind, func(p P) work.Plan[S] { return p }, required...)
}

func planned[C, S any, E event.Event](kind event.Kind[S, E], plan func(C) work.Plan[S], required ...string) maker {
	form := formOf[C](kind.Category, required)
	return maker{func() verb { return &asked[C, S, E]{form: form, kind: kind, plan: plan} }, []string{reflect.TypeFor[C]().Name()}}
}

// edit returns the verb of a command whose fields are inside the field set.
func edit[C work.Command[S, E], S any, E event.Event](kind event.Kind[S, E]) maker {
	form := formOf[C]("", nil)
	plan := func(c C) work.Plan[S] { return work.Of(kind, c) }
	return maker{func() verb { return &edited[C, S, E]{asked[C, S, E]{form: form, kind: kind, plan: plan}} }, []string{reflect.TypeFor[C]().Name()}}
}

// asked is a line that carries out one plan.
type asked[C, S any, E event.Event] struct {
	*form
	kind  event.Kind[S, E]
	plan  func(C) work.Plan[S]
	thing ref
	c     C
	names []ref // the source's names of other things, by the index of their fields in the form
}

func (a *asked[C, S, E]) read(fields map[string]json.RawMessage) error {
	a.names = make([]ref, len(a.fields))
	return a.form.read(fields, &a.thing, reflect.ValueOf(&a.c).Elem(), a.names)
}

func (a *asked[C, S, E]) play(p *play) (bool, error) {
	c := reflect.ValueOf(&a.c).Elem()
	for i, f := range a.fields {
		if a.names[i] == "" {
			continue
		}
		other, err := p.named(f.ref, a.names[i], f.create)
		if err != nil {
			return false, err
		}
		c.FieldByIndex(f.index).Set(reflect.ValueOf(other))
	}
	if a.own != nil {
		c.FieldByIndex(a.own).SetString(string(a.thing))
	}
	return carry(p, a.kind, p.thing(a.kind.Category, string(a.thing)), a.plan(a.c))
}

// edited is a line whose command is in the field set.
type edited[C, S any, E event.Event] struct{ asked[C, S, E] }

func (e *edited[C, S, E]) read(fields map[string]json.RawMessage) error {
	var set struct{ Set map[string]json.RawMessage }
	form := form{thing: e.kind.Category, fields: []field{{name: "set", index: []int{0}, required: true}}}
	if err := form.read(fields, &e.thing, reflect.ValueOf(&set).Elem(), nil); err != nil {
		return err
	}
	e.names = make([]ref, len(e.fields))
	if err := e.form.read(set.Set, nil, reflect.ValueOf(&e.c).Elem(), e.names); err != nil {
		return fmt.Errorf("set has a wrong field: %w", err)
	}
	return nil
}

// carry carries out a plan. In a line about a ticket, by may be just contact, which is then the ticket's contact.
func carry[S any, E event.Event](p *play, kind event.Kind[S, E], id uuid.UUID, plan work.Plan[S]) (bool, error) {
	state, err := work.Look(p.work, kind, id)
	if err != nil {
		return false, err
	}
	var requester uuid.UUID
	t, ofTicket := any(state).(ticket.Ticket)
	if ofTicket {
		requester = t.Contact
	}
	by, err := p.by(requester)
	if err == nil && !ofTicket && p.line.By == "contact" {
		err = domain.Invalid("by", "actor-malformed", "by may be contact without a name only if the line is about a ticket.")
	}
	if err != nil {
		return false, err
	}
	answer, err := work.Begin(p.work, plan, id, by)
	return answer.Changed, err
}

// A form says which fields a line has.
type form struct {
	thing  string // the field that names the line's thing; empty: none
	own    []int  // the command's field that stores this name; nil: none
	fields []field
}

// A field is a field of a line.
type field struct {
	name     string
	index    []int // in the command
	required bool
	ref      string // the kind of thing that it names, from the ref tag; empty: it is a value
	create   bool   // the thing that it names is created if it does not exist
}

// formOf returns the form of a command's fields.
func formOf[C any](thing string, required []string) *form {
	return formOfType(reflect.TypeFor[C](), thing, required)
}

func formOfType(t reflect.Type, thing string, required []string) *form {
	f := &form{thing: thing}
	for _, of := range reflect.VisibleFields(t) {
		name, option, _ := strings.Cut(of.Tag.Get("json"), ",")
		if of.Name == "Ref" && name == "-" {
			f.own = of.Index
		}
		if called := cmp.Or(of.Tag.Get("line"), of.Tag.Get("path")); called != "" {
			name = called
		}
		if of.Anonymous || name == "" || name == "-" {
			continue
		}
		kind, create, _ := strings.Cut(of.Tag.Get("ref"), ",")
		f.fields = append(f.fields, field{name, of.Index, option == "" || slices.Contains(required, name), kind, create == "create"})
	}
	return f
}

// read decodes the fields of a line. It returns an error if a required field is missing or a field is unknown. It sets
// thing to the name of the line's thing, and names to those of other things.
func (f *form) read(fields map[string]json.RawMessage, thing *ref, command reflect.Value, names []ref) error {
	known := 0
	take := func(name string, required bool, set func(json.RawMessage) error) error {
		data, given := fields[name]
		switch {
		case !given && required:
			return fmt.Errorf("%s is missing", name)
		case !given:
			return nil
		case string(data) == "null":
			return fmt.Errorf("%s must not be null", name)
		}
		known++
		if err := set(data); err != nil {
			return fmt.Errorf("%s %s", name, wrong(err))
		}
		return nil
	}
	if f.thing != "" {
		if err := take(f.thing, true, func(data json.RawMessage) error { return json.Unmarshal(data, thing) }); err != nil {
			return err
		}
	}
	for i, of := range f.fields {
		err := take(of.name, of.required, func(data json.RawMessage) error {
			if of.ref != "" {
				return json.Unmarshal(data, &names[i])
			}
			return set(command.FieldByIndex(of.index), data)
		})
		if err != nil {
			return err
		}
	}
	if known == len(fields) {
		return nil
	}
	for name := range fields {
		if name != f.thing && !slices.ContainsFunc(f.fields, func(of field) bool { return of.name == name }) {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	return nil
}
