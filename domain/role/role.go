// Package role says who may do and see what: roles, the permissions that they are sets of, and sight.
package role

import (
	"slices"

	"github.com/google/uuid"
)

// A Role is the name of a set of permissions.
type Role string

// The built-in roles. An auditor reads everything and changes nothing.
const (
	Owner   Role = "owner"
	Admin   Role = "admin"
	Agent   Role = "agent"
	Auditor Role = "auditor"
)

// All lists the roles.
var All = []Role{Owner, Admin, Agent, Auditor}

// AgentRoles are the roles that an agent can have. An auditor has a key, not a place on the desk.
var AgentRoles = []Role{Owner, Admin, Agent}

// Known reports whether there is such a role.
func (r Role) Known() bool { return slices.Contains(All, r) }

// Permissions are what the role allows.
func (r Role) Permissions() Permissions { return builtIn[r] }

// A Permission is one thing that somebody may do. Each command names one, and each query.
type Permission string

// The permissions.
const (
	ContactsRead   Permission = "contacts.read"
	ContactsWrite  Permission = "contacts.write"
	CompaniesWrite Permission = "companies.write"
	TagsWrite      Permission = "tags.write"   // the registries of tags and groups
	DesksWrite     Permission = "desk.write"   // departments
	AgentsRead     Permission = "agents.read"  // agents and their status
	AgentsWrite    Permission = "agents.write" // create, edit, delete, departments
	StatusOwn      Permission = "status.own"   // one's own sign-in, pause and switches
	StatusAny      Permission = "status.any"   // those of others
	TicketsRead    Permission = "tickets.read"
	EverywhereRead Permission = "everywhere.read" // see what belongs to departments in which one does not serve
	TicketsReceive Permission = "tickets.receive" // inquiries and contacts' messages
	TicketsWork    Permission = "tickets.work"    // reply, note, tag, assign, postpone, resolve …
	TicketsDelete  Permission = "tickets.delete"
	ReportsRead    Permission = "reports.read"
	EventsRead     Permission = "events.read" // the audit trail
	Import         Permission = "import"
	Operate        Permission = "operate" // projections: rebuild, verify, retry
	OwnersWrite    Permission = "owners.write"
	KeysWrite      Permission = "keys.write"
)

// Permissions are a set of permissions.
type Permissions []Permission

// Have reports whether a permission is one of the set.
func (s Permissions) Have(p Permission) bool { return slices.Contains(s, p) }

// And returns the permissions that are in both sets: a key that acts as an agent allows what both allow.
func (s Permissions) And(other Permissions) Permissions {
	var both Permissions
	for _, p := range s {
		if other.Have(p) {
			both = append(both, p)
		}
	}
	return both
}

var (
	reading  = Permissions{ContactsRead, AgentsRead, TicketsRead, EverywhereRead, ReportsRead, EventsRead}
	working  = Permissions{ContactsRead, ContactsWrite, CompaniesWrite, AgentsRead, StatusOwn, TicketsRead, TicketsReceive, TicketsWork}
	managing = Permissions{TagsWrite, DesksWrite, AgentsWrite, StatusAny, EverywhereRead, TicketsDelete, ReportsRead, EventsRead, Import, Operate, KeysWrite}
	builtIn  = map[Role]Permissions{
		Owner:   slices.Concat(working, managing, Permissions{OwnersWrite}),
		Admin:   slices.Concat(working, managing),
		Agent:   working,
		Auditor: reading,
	}
)

// Sight is how much of the desk somebody sees: what belongs to no department, and to those of the sight. The zero value
// sees no department.
type Sight struct {
	everything  bool
	departments []uuid.UUID
}

// Everything is the sight of whoever sees all departments.
var Everything = Sight{everything: true}

// SightOf is the sight of whoever serves in some departments.
func SightOf(departments ...uuid.UUID) Sight { return Sight{departments: departments} }

// Sees reports whether what belongs to a department is seen; uuid.Nil is no department.
func (s Sight) Sees(department uuid.UUID) bool {
	return s.everything || department == uuid.Nil || slices.Contains(s.departments, department)
}

// Departments returns the only departments that are seen, or that all are.
func (s Sight) Departments() (only []uuid.UUID, all bool) { return s.departments, s.everything }
