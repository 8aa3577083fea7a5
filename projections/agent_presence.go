package projections

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// AgentPresence maintains agent_presence: when agents started and stopped working, and being available for each service in each
// department.
var AgentPresence = engine.Projection{Name: "agent_presence", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	agents := engine.NewTable[uuid.UUID, readmodels.AgentPresence](l, readmodels.PresencesTable)
	changes := engine.NewFacts[report.PresenceChange](l, report.PresenceTable)
	return func(e *engine.Recorded) {
		ev, ok := e.Event.(agent.Event)
		if !ok {
			return
		}
		agents.Upsert(e.ID, func(r *readmodels.AgentPresence) {
			before := availability(*r)
			r.Sessions, r.Paused, r.Departments = presence(r.Sessions, r.Paused, r.Departments, ev)
			after := availability(*r)
			began := make(map[slot]bool) // true: began; false: ended
			for s := range after {
				if !before[s] {
					began[s] = true
				}
			}
			for s := range before {
				if !after[s] {
					began[s] = false
				}
			}
			for seq, s := range slices.SortedFunc(maps.Keys(began), slot.compare) {
				changes.Insert(report.PresenceChange{
					Position: table.Position(e.Position), Seq: int64(seq), At: e.At, AgentID: e.ID,
					Service: s.service, DepartmentID: s.department, On: began[s],
				})
			}
		})
	}
}}

// A slot is what an agent can be present for: work as such (no service), or a service in a department.
type slot struct {
	service    agent.Service
	department table.Ref
}

func (s slot) compare(other slot) int {
	if s.service != other.service {
		return slices.Compare([]byte(s.service), []byte(other.service))
	}
	return slices.Compare(s.department[:], other.department[:])
}

// availability returns what an agent is present for.
func availability(p readmodels.AgentPresence) map[slot]bool {
	if len(p.Sessions) == 0 || p.Paused {
		return nil
	}
	slots := map[slot]bool{{}: true}
	for _, m := range p.Departments {
		for _, service := range agent.AllServices {
			if m.Services().On(service) {
				slots[slot{service, table.Ref(m.Department)}] = true
			}
		}
	}
	return slots
}
