// Package role says who may do what: a typed table of roles and permissions.
package role

import "slices"

// A Role is what an agent or an API key is on the desk.
type Role string

// The built-in roles. An auditor reads everything and changes nothing.
const (
	Owner   Role = "owner"
	Admin   Role = "admin"
	Agent   Role = "agent"
	Auditor Role = "auditor"
)

// All lists the roles, the most powerful first.
var All = []Role{Owner, Admin, Agent, Auditor}

// AgentRoles are the roles that an agent can have. An auditor has a key, not a place on the desk.
var AgentRoles = []Role{Owner, Admin, Agent}

// A Permission is one thing that a role may do.
type Permission string

// The permissions. Each command names one, and each query.
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
	TicketsWork    Permission = "tickets.work" // reply, note, tag, assign, postpone, resolve …
	TicketsDelete  Permission = "tickets.delete"
	ReportsRead    Permission = "reports.read"
	EventsRead     Permission = "events.read" // the audit trail
	Import         Permission = "import"
	Operate        Permission = "operate" // projections: rebuild, verify, retry
	OwnersWrite    Permission = "owners.write"
	KeysWrite      Permission = "keys.write"
)

var (
	reading  = []Permission{ContactsRead, AgentsRead, TicketsRead, ReportsRead, EventsRead}
	working  = []Permission{ContactsRead, ContactsWrite, CompaniesWrite, AgentsRead, StatusOwn, TicketsRead, TicketsWork}
	managing = []Permission{TagsWrite, DesksWrite, AgentsWrite, StatusAny, TicketsDelete, ReportsRead, EventsRead, Import, Operate, KeysWrite}
	table    = map[Role][]Permission{
		Owner:   slices.Concat(working, managing, []Permission{OwnersWrite}),
		Admin:   slices.Concat(working, managing),
		Agent:   working,
		Auditor: reading,
	}
)

// May reports whether a role has a permission.
func (r Role) May(p Permission) bool { return slices.Contains(table[r], p) }

// Known reports whether there is such a role.
func (r Role) Known() bool { return slices.Contains(All, r) }
