package projections

import (
	"github.com/google/uuid"

	"daybook/readmodels"
	"daybook/readmodels/report"
)

// newTables declares the tables of a ledger, each with its owner.
func newTables(l *ledger) *Tables {
	return &Tables{
		Departments:   newTable[uuid.UUID, readmodels.Department](l, Departments.Name, readmodels.DepartmentsTable),
		Tags:          newTable[uuid.UUID, readmodels.Tag](l, Tags.Name, readmodels.TagsTable),
		Groups:        newTable[uuid.UUID, readmodels.Group](l, Groups.Name, readmodels.GroupsTable),
		Agents:        newTable[uuid.UUID, readmodels.Agent](l, Agents.Name, readmodels.AgentsTable),
		AgentNames:    newFacts[report.AgentName](l, Agents.Name, report.AgentNamesTable),
		Contacts:      newTable[uuid.UUID, readmodels.Contact](l, Contacts.Name, readmodels.ContactsTable),
		Companies:     newTable[uuid.UUID, readmodels.Company](l, Companies.Name, readmodels.CompaniesTable),
		Timeline:      newFacts[readmodels.TimelineEntry](l, ContactTimeline.Name, readmodels.TimelineTable),
		Tickets:       newTable[uuid.UUID, readmodels.Ticket](l, Tickets.Name, readmodels.TicketsTable),
		TicketHistory: newTable[uuid.UUID, readmodels.TicketHistory](l, TicketHistory.Name, readmodels.TicketHistoryTable),
		Activity:      newFacts[report.Activity](l, AgentActivity.Name, report.ActivityTable),
		TicketClocks:  newTable[uuid.UUID, readmodels.TicketClock](l, AgentActivity.Name, readmodels.TicketClocksTable),
		Presence:      newFacts[report.PresenceChange](l, AgentPresence.Name, report.PresenceTable),
		Presences:     newTable[uuid.UUID, readmodels.AgentPresence](l, AgentPresence.Name, readmodels.PresencesTable),
		Trail:         newFacts[readmodels.TrailEntry](l, Trail.Name, readmodels.TrailTable),
	}
}
