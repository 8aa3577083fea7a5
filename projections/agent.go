package projections

import (
	"slices"

	"github.com/google/uuid"

	"daybook/domain/agent"
	"daybook/domain/search"
	"daybook/projections/engine"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// Agents maintains agents, with their status, and the names that agents had over time.
var Agents = engine.Projection{Name: "agents", Bind: func(l *engine.Ledger) func(*engine.Recorded) {
	rows := engine.Keep[readmodels.Agent](l, agent.Stream.Category, readmodels.AgentsTable)
	names := engine.NewFacts[report.AgentName](l, report.AgentNamesTable)
	return func(e *engine.Recorded) {
		switch ev := e.Event.(type) {
		case agent.Created:
			names.Insert(report.AgentName{Position: table.Position(e.Position), AgentID: e.ID, Name: ev.Name.String()})
			row := readmodels.Agent{
				ID: e.ID, Name: ev.Name.String(), Alias: ev.Alias.String(), Email: ev.Email.Value.String(), Role: ev.Role,
				Status: readmodels.Offline, Ref: ev.Ref.String(), CreatedAt: e.At, Events: begun(e),
			}
			row.Sought = agentSought(row)
			rows.Insert(row)
		case agent.Event:
			if edited, ok := ev.(agent.Edited); ok && edited.Name != nil {
				names.Insert(report.AgentName{Position: table.Position(e.Position), AgentID: e.ID, Name: edited.Name.String()})
			}
			rows.Update(e.ID, func(r *readmodels.Agent) {
				r.Moved(e.Position, e.Revision)
				changeAgent(r, ev, e.At)
			})
		}
	}
}}

func changeAgent(r *readmodels.Agent, ev agent.Event, at table.Instant) {
	switch ev := ev.(type) {
	case agent.Edited:
		setText(&r.Name, ev.Name)
		setText(&r.Alias, ev.Alias)
		if ev.Email != nil {
			r.Email = ev.Email.Value.String()
		}
		if ev.Role != nil {
			r.Role = *ev.Role
		}
		r.Sought = agentSought(*r)
	case agent.SignedIn:
		if !slices.Contains(r.Sessions, ev.Device.Hash) {
			r.Devices = with(r.Devices, ev.Device.Value.String())
		}
	case agent.SignedOut:
		if i := slices.Index(r.Sessions, ev.Device.Hash); i >= 0 {
			r.Devices = slices.Delete(slices.Clone(r.Devices), i, i+1)
		}
	case agent.PictureSet:
		r.Pictured = pictured(ev.Picture)
	case agent.PictureRemoved:
		r.Pictured = readmodels.Pictured{}
	case agent.Deleted:
		r.DeletedAt, r.Devices = at, nil
	}
	r.Sessions, r.Paused, r.Departments = presence(r.Sessions, r.Paused, r.Departments, ev)
	switch {
	case len(r.Sessions) == 0:
		r.Status = readmodels.Offline
	case r.Paused:
		r.Status = readmodels.Paused
	default:
		r.Status = readmodels.Online
	}
}

func agentSought(r readmodels.Agent) readmodels.Sought {
	return sought(r.Name, search.Text(r.Alias), search.Email(r.Email))
}

// presence returns an agent's sessions, pause and departments after an event. Lists are replaced, not changed in place.
func presence(sessions table.List[uuid.UUID], paused bool, departments table.List[readmodels.Membership], ev agent.Event) (table.List[uuid.UUID], bool, table.List[readmodels.Membership]) {
	switch ev := ev.(type) {
	case agent.SignedIn:
		if !slices.Contains(sessions, ev.Device.Hash) {
			sessions = with(sessions, ev.Device.Hash)
		}
	case agent.SignedOut:
		sessions = without(sessions, ev.Device.Hash)
		paused = paused && len(sessions) > 0
	case agent.Deleted:
		sessions, paused = nil, false
	case agent.Paused:
		paused = len(sessions) > 0
	case agent.Unpaused:
		paused = false
	case agent.JoinedDepartment:
		if !slices.ContainsFunc(departments, func(m readmodels.Membership) bool { return m.Department == ev.Department }) {
			departments = with(departments, readmodels.Membership{Department: ev.Department, Tickets: true, Chats: true, Calls: true})
		}
	case agent.LeftDepartment:
		departments = slices.DeleteFunc(slices.Clone(departments), func(m readmodels.Membership) bool { return m.Department == ev.Department })
	case agent.Switched:
		departments = slices.Clone(departments)
		for i, m := range departments {
			if m.Department == ev.Department {
				s := m.Services().With(ev.Service, ev.On)
				departments[i] = readmodels.Membership{Department: m.Department, Tickets: s.Tickets, Chats: s.Chats, Calls: s.Calls}
			}
		}
	}
	return sessions, paused, departments
}
