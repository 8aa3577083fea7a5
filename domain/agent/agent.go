// Package agent is the people who work at the desk, and their status: where they are signed in, whether they are on a
// break, and which services they have switched on in each department.
package agent

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/personal"
	"daybook/domain/picture"
	"daybook/domain/role"
)

// An Agent is the state that rules need.
type Agent struct {
	Created     bool
	Deleted     bool
	Name        personal.Text
	Alias       personal.Text   // shown to contacts instead of the name
	Email       personal.Hashed // the login, normalised
	Role        role.Role
	Devices     []uuid.UUID // signed in on, by their hashes
	Paused      bool
	Departments map[uuid.UUID]Services
	Picture     picture.Picture
}

// Services says which services an agent has switched on in one department. Joining a department switches all of them on.
type Services struct {
	Tickets, Chats, Calls bool
}

// Login returns an e-mail address, normalised, as the login that only one agent may have.
func Login(names personal.Hasher, email string) personal.Hashed {
	return personal.Hash(names, "login"+address.Version, email)
}

// Device returns the name of a device that an agent signs in on.
func Device(names personal.Hasher, agent uuid.UUID, name string) personal.Hashed {
	return personal.Hashed{Value: personal.New(name), Hash: names.Hash("device", agent.String(), name)}
}

// Service is what an agent can be available for.
type Service string

// The services.
const (
	Tickets Service = "tickets"
	Chats   Service = "chats"
	Calls   Service = "calls"
)

// AllServices lists the services.
var AllServices = []Service{Tickets, Chats, Calls}

// On reports whether a service is switched on.
func (s Services) On(service Service) bool {
	switch service {
	case Tickets:
		return s.Tickets
	case Chats:
		return s.Chats
	case Calls:
		return s.Calls
	}
	return false
}

// With returns a copy in which one service is on or off.
func (s Services) With(service Service, on bool) Services {
	switch service {
	case Tickets:
		s.Tickets = on
	case Chats:
		s.Chats = on
	case Calls:
		s.Calls = on
	}
	return s
}

// Stream is the kind of an agent's stream.
var Stream = event.Kind[Agent, Event]{
	Category: "agent",
	Events:   Events,
	Apply:    func(a *Agent, e Event) { e.apply(a) },
	Exists:   func(a Agent) bool { return a.Created && !a.Deleted },
	Unknown:  domain.NotFound("agent-unknown", "There is no such agent. Check the id, or create the agent first."),
	Deleted:  func(a Agent) bool { return a.Deleted },
	Gone:     domain.Conflict("agent-deleted", "This agent was deleted, and cannot be restored. Use another agent, or create a new one: the login is free."),
	Holds: func(a Agent) []event.Hold {
		return []event.Hold{{ID: a.Email.Hash, Taken: "Another agent has this e-mail address. Choose a different one."}}
	},
	Lapse: func(r uuid.UUID) Event { return ClaimLapsed{r} },
	Roll: &event.Roll[Agent]{
		Category: desk.OwnersStream.Category,
		ID:       desk.OwnersID,
		Stands:   func(a Agent) bool { return a.Role == role.Owner },
		Listed:   func(roll any) []uuid.UUID { return roll.(desk.Owners).Agents },
		Enter:    func(agent uuid.UUID) event.Event { return desk.OwnerEntered{Agent: agent} },
		Strike:   func(agent uuid.UUID) event.Event { return desk.OwnerStruck{Agent: agent} },
		Empty:    domain.Conflict("last-owner", "This agent is the desk's only owner. Make another agent an owner first."),
	},
}

// MustExist returns an error if the agent does not exist.
func (a Agent) MustExist() error {
	return Stream.Must(a)
}

// Working reports whether the agent is signed in on a device and not on a break.
func (a Agent) Working() bool { return Stream.Exists(a) && len(a.Devices) > 0 && !a.Paused }

// In reports whether the agent belongs to a department.
func (a Agent) In(department uuid.UUID) bool {
	_, in := a.Departments[department]
	return in
}

// Sight returns what the agent sees: the departments that they serve.
func (a Agent) Sight() role.Sight { return role.SightOf(slices.Collect(maps.Keys(a.Departments))...) }

// with returns a copy of the agent's departments, with the given services in one of them.
func (a *Agent) with(department uuid.UUID, s Services) map[uuid.UUID]Services {
	own := maps.Clone(a.Departments)
	if own == nil {
		own = map[uuid.UUID]Services{}
	}
	own[department] = s
	return own
}

// Event is what happens to an agent.
type Event interface {
	event.Event
	apply(*Agent)
}

// Events decodes agent events.
var Events = event.NewTable(
	of[Created](), of[Edited](), of[Deleted](), of[JoinedDepartment](), of[LeftDepartment](),
	of[SignedIn](), of[SignedOut](), of[Paused](), of[Unpaused](), of[Switched](), of[ClaimLapsed](), of[PictureSet](), of[PictureRemoved](),
)

func of[T Event]() event.Type[Event] { return event.TypeOf(func(e T) Event { return e }) }

// Created: the agent was created.
type Created struct {
	Name  personal.Text   `json:"name"`
	Alias personal.Text   `json:"alias"`
	Email personal.Hashed `json:"email"`
	Role  role.Role       `json:"role"`
	Ref   personal.Text   `json:"ref,omitzero"`
}

// EventType returns the stored name.
func (Created) EventType() string { return "agent-created" }

func (e Created) apply(a *Agent) {
	a.Created = true
	a.Name, a.Alias, a.Email, a.Role = e.Name, e.Alias, e.Email, e.Role
}

// Edited: some fields have new values; nil fields stay as they were.
type Edited struct {
	Name  *personal.Text   `json:"name,omitempty"`
	Alias *personal.Text   `json:"alias,omitempty"`
	Email *personal.Hashed `json:"email,omitempty"`
	Role  *role.Role       `json:"role,omitempty"`
}

// EventType returns the stored name.
func (Edited) EventType() string { return "agent-edited" }

func (e Edited) apply(a *Agent) {
	set(&a.Name, e.Name)
	set(&a.Alias, e.Alias)
	set(&a.Email, e.Email)
	set(&a.Role, e.Role)
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// Deleted: the agent has left the desk. Their sessions end and their login is free again; their history stays.
type Deleted struct{}

// EventType returns the stored name.
func (Deleted) EventType() string { return "agent-deleted" }

func (Deleted) apply(a *Agent) { a.Deleted, a.Devices, a.Paused = true, nil, false }

// JoinedDepartment: the agent serves a department, with all services switched on.
type JoinedDepartment struct {
	Department uuid.UUID `json:"department"`
}

// EventType returns the stored name.
func (JoinedDepartment) EventType() string { return "agent-joined-department" }

func (e JoinedDepartment) apply(a *Agent) {
	if !a.In(e.Department) {
		a.Departments = a.with(e.Department, Services{true, true, true})
	}
}

// LeftDepartment: the agent no longer serves a department; the services there end.
type LeftDepartment struct {
	Department uuid.UUID `json:"department"`
}

// EventType returns the stored name.
func (LeftDepartment) EventType() string { return "agent-left-department" }

func (e LeftDepartment) apply(a *Agent) {
	a.Departments = maps.Clone(a.Departments)
	delete(a.Departments, e.Department)
}

// SignedIn: the agent signed in on a device.
type SignedIn struct {
	Device personal.Hashed `json:"device"`
}

// EventType returns the stored name.
func (SignedIn) EventType() string { return "agent-signed-in" }

func (e SignedIn) apply(a *Agent) {
	if !slices.Contains(a.Devices, e.Device.Hash) {
		a.Devices = append(slices.Clone(a.Devices), e.Device.Hash)
	}
}

// SignedOut: the agent signed out on a device. With the last session, a break ends.
type SignedOut struct {
	Device personal.Hashed `json:"device"`
}

// EventType returns the stored name.
func (SignedOut) EventType() string { return "agent-signed-out" }

func (e SignedOut) apply(a *Agent) {
	a.Devices = slices.DeleteFunc(slices.Clone(a.Devices), func(d uuid.UUID) bool { return d == e.Device.Hash })
	a.Paused = a.Paused && len(a.Devices) > 0
}

// Paused: the agent takes a break. In an imported history, it may say so of an agent who is not signed in: that is no break.
type Paused struct{}

// EventType returns the stored name.
func (Paused) EventType() string { return "agent-paused" }

func (Paused) apply(a *Agent) { a.Paused = len(a.Devices) > 0 }

// Unpaused: the break is over.
type Unpaused struct{}

// EventType returns the stored name.
func (Unpaused) EventType() string { return "agent-unpaused" }

func (Unpaused) apply(a *Agent) { a.Paused = false }

// Switched: the agent turned a service on or off in a department.
type Switched struct {
	Department uuid.UUID `json:"department"`
	Service    Service   `json:"service"`
	On         bool      `json:"on"`
}

// EventType returns the stored name.
func (Switched) EventType() string { return "agent-switched" }

func (e Switched) apply(a *Agent) {
	a.Departments = a.with(e.Department, a.Departments[e.Department].With(e.Service, e.On))
}

// ClaimLapsed: another agent needed a login that this one had claimed but never used. It does not change the agent; it
// moves the stream's revision, so that the unfinished command that claimed the login starts over.
type ClaimLapsed struct {
	Reservation uuid.UUID `json:"reservation"`
}

// EventType returns the stored name.
func (ClaimLapsed) EventType() string { return "agent-claim-lapsed" }

func (ClaimLapsed) apply(*Agent) {}
