package projections

import (
	"github.com/google/uuid"

	"daybook/readmodels"
	"daybook/readmodels/report"
)

// Tables are all tables, each with the projection that owns it.
type Tables struct {
	Departments   *Table[uuid.UUID, readmodels.Department]
	Tags          *Table[uuid.UUID, readmodels.Tag]
	Groups        *Table[uuid.UUID, readmodels.Group]
	Agents        *Table[uuid.UUID, readmodels.Agent]
	AgentNames    *Facts[report.AgentName]
	Contacts      *Table[uuid.UUID, readmodels.Contact]
	Companies     *Table[uuid.UUID, readmodels.Company]
	Timeline      *Facts[readmodels.TimelineEntry]
	Tickets       *Table[uuid.UUID, readmodels.Ticket]
	TicketHistory *Table[uuid.UUID, readmodels.TicketHistory]
	Activity      *Facts[report.Activity]
	TicketClocks  *Table[uuid.UUID, readmodels.TicketClock]
	Presence      *Facts[report.PresenceChange]
	Presences     *Table[uuid.UUID, readmodels.AgentPresence]
	Trail         *Facts[readmodels.TrailEntry]
}

// All lists the projections.
var All = []Projection{
	Departments, Tags, Groups, Agents, Contacts, Companies, ContactTimeline, Tickets, TicketHistory, AgentActivity, AgentPresence, Trail,
}
