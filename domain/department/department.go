// Package department is the parts of the desk that tickets and agents belong to.
package department

import (
	"daybook/domain"
	"daybook/domain/event"
)

// A Department is the state that rules need.
type Department struct {
	Created bool
	Deleted bool
	Name    string
}

// Stream is the kind of stream that a department has.
var Stream = event.Kind[Department, Event]{
	Category: "department",
	Events:   Events,
	Apply:    func(d *Department, e Event) { e.apply(d) },
	Exists:   func(d Department) bool { return d.Created && !d.Deleted },
	Unknown:  domain.NotFound("department-unknown", "There is no such department. Create it first."),
}

// MustExist refuses a department that is not there.
func (d Department) MustExist() error {
	return Stream.Must(d)
}

// Event is what happens to a department.
type Event interface {
	event.Event
	apply(*Department)
}

// Events reads department events back.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Deleted]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: there is a new department.
type Created struct {
	Name string `json:"name"`
	Ref  string `json:"ref,omitempty"`
}

// EventType is the stored name.
func (Created) EventType() string { return "department-created" }

func (e Created) apply(d *Department) { d.Created, d.Name = true, e.Name }

// Renamed: the department has another name.
type Renamed struct {
	Name string `json:"name"`
}

// EventType is the stored name.
func (Renamed) EventType() string { return "department-renamed" }

func (e Renamed) apply(d *Department) { d.Name = e.Name }

// Deleted: the department is no longer used; its history stays.
type Deleted struct{}

// EventType is the stored name.
func (Deleted) EventType() string { return "department-deleted" }

func (Deleted) apply(d *Department) { d.Deleted = true }
