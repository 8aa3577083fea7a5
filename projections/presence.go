package projections

import (
	"maps"
	"slices"

	"daybook/domain/agent"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// AgentPresence keeps agent_presence: when agents began and ceased to work, and to be available for each service in each
// department.
var AgentPresence = Projection{Name: "agent_presence", Version: 1, Apply: func(e *Recorded, t *Tables) {
	ev, ok := e.Event.(agent.Event)
	if !ok {
		return
	}
	t.Presences.Upsert(e.ID, func(r *readmodels.AgentPresence) {
		before := availability(*r)
		r.Devices, r.Paused, r.Departments = presence(r.Devices, r.Paused, r.Departments, ev)
		after := availability(*r)
		changes := make(map[slot]bool) // whether it began
		for s := range after {
			if !before[s] {
				changes[s] = true
			}
		}
		for s := range before {
			if !after[s] {
				changes[s] = false
			}
		}
		for seq, s := range slices.SortedFunc(maps.Keys(changes), slot.compare) {
			t.Presence.Insert(report.PresenceChange{
				Position: table.Position(e.Position), Seq: int64(seq), At: e.At, AgentID: e.ID,
				Service: s.service, DepartmentID: s.department, On: changes[s],
			})
		}
	})
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

// availability lists what an agent is present for.
func availability(p readmodels.AgentPresence) map[slot]bool {
	if len(p.Devices) == 0 || p.Paused {
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
