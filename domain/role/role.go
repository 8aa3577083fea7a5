// Package role defines who may do and see what: permissions, roles (which are sets of permissions) and sight (which
// departments a caller sees).
package role

import (
	"slices"

	"github.com/google/uuid"
)

// A Role is the name of a set of permissions.
type Role string

// The built-in roles. An auditor reads everything and changes nothing. A channel brings in what contacts write, and reads
// nothing.
const (
	Owner   Role = "owner"
	Admin   Role = "admin"
	Agent   Role = "agent"
	Auditor Role = "auditor"
	Channel Role = "channel"
)

// All lists the roles.
var All = []Role{Owner, Admin, Agent, Auditor, Channel}

// AgentRoles are the roles that an agent can have. Auditors and channels are not agents: they only have API keys.
var AgentRoles = []Role{Owner, Admin, Agent}

// Known reports whether there is such a role.
func (r Role) Known() bool { return slices.Contains(All, r) }

// Permissions returns what the role allows.
func (r Role) Permissions() Permissions { return builtIn[r] }

// A Permission is the right to do one thing. Each command and each query requires one.
type Permission string

// The permissions.
const (
	ContactsRead    Permission = "contacts.read"
	ContactsWrite   Permission = "contacts.write"
	ContactsDelete  Permission = "contacts.delete"   // delete and restore
	Identify        Permission = "contacts.identify" // tell the business's own id of a contact
	CompaniesWrite  Permission = "companies.write"
	CompaniesDelete Permission = "companies.delete" // delete and restore
	TagsWrite       Permission = "tags.write"       // the registries of tags and groups
	DesksWrite      Permission = "desk.write"       // departments
	AgentsRead      Permission = "agents.read"      // agents and their status
	AgentsWrite     Permission = "agents.write"     // create, edit, delete, departments
	StatusOwn       Permission = "status.own"       // the caller's own sign-in, breaks and services
	StatusAny       Permission = "status.any"       // those of other agents
	TicketsRead     Permission = "tickets.read"
	EverywhereRead  Permission = "everywhere.read" // reach all departments, not only those that the caller serves
	ChannelsWrite   Permission = "channels.write"  // inquiries and contacts' messages
	TicketsWork     Permission = "tickets.work"    // reply, note, tag, assign, postpone, resolve …
	TicketsDelete   Permission = "tickets.delete"
	ReportsRead     Permission = "reports.read"
	EventsRead      Permission = "events.read" // the audit trail
	Import          Permission = "import"
	Operate         Permission = "operate" // projections: rebuild, verify, retry
	OwnersWrite     Permission = "owners.write"
	KeysWrite       Permission = "keys.write"
)

// Permissions are a set of permissions.
type Permissions []Permission

// Have reports whether the set contains a permission.
func (s Permissions) Have(p Permission) bool { return slices.Contains(s, p) }

// And returns the permissions that both sets contain. A key that acts as an agent has the intersection of its own
// permissions and the agent's.
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
	working  = Permissions{ContactsRead, ContactsWrite, Identify, CompaniesWrite, AgentsRead, StatusOwn, TicketsRead, ChannelsWrite, TicketsWork}
	managing = Permissions{TagsWrite, DesksWrite, AgentsWrite, StatusAny, EverywhereRead, ContactsDelete, CompaniesDelete, TicketsDelete, ReportsRead, EventsRead, Import, Operate, KeysWrite}
	builtIn  = map[Role]Permissions{
		Owner:   slices.Concat(working, managing, Permissions{OwnersWrite}),
		Admin:   slices.Concat(working, managing),
		Agent:   working,
		Auditor: reading,
		Channel: {ChannelsWrite, EverywhereRead}, // contacts write to all departments
	}
)

// Sight is which departments a caller sees. Everybody sees what belongs to no department. The zero value sees no
// department.
type Sight struct {
	everything  bool
	departments []uuid.UUID
}

// Everything is the sight of a caller who sees all departments.
var Everything = Sight{everything: true}

// SightOf returns the sight of a caller who sees only these departments.
func SightOf(departments ...uuid.UUID) Sight { return Sight{departments: departments} }

// Sees reports whether the caller sees what belongs to a department; uuid.Nil means no department.
func (s Sight) Sees(department uuid.UUID) bool {
	return s.everything || department == uuid.Nil || slices.Contains(s.departments, department)
}

// Departments returns the departments that the caller sees, or all if they see every department.
func (s Sight) Departments() (only []uuid.UUID, all bool) { return s.departments, s.everything }
