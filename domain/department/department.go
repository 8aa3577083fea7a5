// Package department is the departments of the desk, to which tickets and agents belong.
package department

import (
	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/event"
	"daybook/domain/personal"
)

// A Department is the state that rules need.
type Department struct {
	Created bool
	Deleted bool
	Name    string
	Heir    uuid.UUID // the department that took its tickets when it was deleted; nil: none
}

// Stream is the kind of a department's stream.
var Stream = event.Kind[Department, Event]{
	Category: "department",
	Events:   Events,
	Apply:    func(d *Department, e Event) { e.apply(d) },
	Exists:   func(d Department) bool { return d.Created && !d.Deleted },
	Unknown:  domain.NotFound("department-unknown", "There is no such department. Check the id, or create the department first."),
	Deleted:  func(d Department) bool { return d.Deleted },
	Gone:     domain.Conflict("department-deleted", "This department was deleted, and cannot be restored. Use another department, or create a new one."),
}

// MustBeCreated returns an error if there never was such a department.
func (d Department) MustBeCreated() error {
	if !d.Created {
		return Stream.Unknown
	}
	return nil
}

// MustExist returns an error if the department does not exist.
func (d Department) MustExist() error {
	return Stream.Must(d)
}

// Event is what happens to a department.
type Event interface {
	event.Event
	apply(*Department)
}

// Events decodes department events.
var Events = event.NewTable(of[Created](), of[Renamed](), of[Deleted]())

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the department was created.
type Created struct {
	Name string        `json:"name"`
	Ref  personal.Text `json:"ref,omitzero"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "department-created" }

func (e Created) apply(d *Department) { d.Created, d.Name = true, e.Name }

// Renamed: the department has a new name.
type Renamed struct {
	Name string `json:"name"`
}

// EventType returns the stored name.
func (Renamed) EventType() string { return "department-renamed" }

func (e Renamed) apply(d *Department) { d.Name = e.Name }

// Deleted: the department is no longer used; its history stays.
type Deleted struct {
	To uuid.UUID `json:"to,omitzero"` // the department that takes its tickets; nil: none
}

// EventType returns the stored name.
func (Deleted) EventType() string { return "department-deleted" }

func (e Deleted) apply(d *Department) { d.Deleted, d.Heir = true, e.To }
