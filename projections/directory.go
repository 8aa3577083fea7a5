package projections

import (
	"slices"

	"daybook/domain/agent"
	"daybook/domain/department"
	"daybook/domain/group"
	"daybook/domain/tag"
	"daybook/readmodels"
	"daybook/readmodels/report"
	"daybook/readmodels/table"
)

// Departments keeps departments: one row a department.
var Departments = Projection{Name: "departments", Version: 1, Apply: func(e *Recorded, t *Tables) {
	ev, ok := e.Event.(department.Event)
	if !ok {
		return
	}
	t.Departments.Upsert(e.ID, func(r *readmodels.Department) {
		r.Revision = int64(e.Revision)
		switch ev := ev.(type) {
		case department.Created:
			r.Name, r.Ref, r.CreatedAt = ev.Name, ev.Ref, e.At
		case department.Renamed:
			r.Name = ev.Name
		case department.Deleted:
			r.DeletedAt = e.At
		}
	})
}}

// Tags keeps tags: one row a tag, of either registry.
var Tags = Projection{Name: "tags", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch ev := e.Event.(type) {
	case tag.Created:
		t.Tags.Insert(readmodels.Tag{ID: e.ID, Scope: ev.Scope, Name: ev.Name, Ref: ev.Ref, CreatedAt: e.At, Revision: int64(e.Revision)})
	case tag.Event:
		t.Tags.Update(e.ID, func(r *readmodels.Tag) {
			r.Revision = int64(e.Revision)
			switch ev := ev.(type) {
			case tag.Renamed:
				r.Name = ev.Name
			case tag.Deleted:
				r.DeletedAt = e.At
			}
		})
	}
}}

// Groups keeps groups: one row a group.
var Groups = Projection{Name: "groups", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch ev := e.Event.(type) {
	case group.Created:
		t.Groups.Insert(readmodels.Group{
			ID: e.ID, Name: ev.Name, Color: ev.Color, Background: ev.Background, Ref: ev.Ref, CreatedAt: e.At, Revision: int64(e.Revision),
		})
	case group.Event:
		t.Groups.Update(e.ID, func(r *readmodels.Group) {
			r.Revision = int64(e.Revision)
			switch ev := ev.(type) {
			case group.Renamed:
				r.Name = ev.Name
			case group.Restyled:
				r.Color, r.Background = ev.Color, ev.Background
			case group.Deleted:
				r.DeletedAt = e.At
			}
		})
	}
}}

// Agents keeps agents and their status, one row an agent, and the names that they had.
var Agents = Projection{Name: "agents", Version: 1, Apply: func(e *Recorded, t *Tables) {
	switch ev := e.Event.(type) {
	case agent.Created:
		t.AgentNames.Insert(report.AgentName{Position: table.Position(e.Position), AgentID: e.ID, Name: ev.Name.String()})
		t.Agents.Insert(readmodels.Agent{
			ID: e.ID, Name: ev.Name.String(), Alias: ev.Alias.String(), Email: ev.Email.String(), Role: ev.Role,
			Status: readmodels.Offline, Ref: ev.Ref, CreatedAt: e.At, Revision: int64(e.Revision),
		})
	case agent.Event:
		if edited, ok := ev.(agent.Edited); ok && edited.Name != nil {
			t.AgentNames.Insert(report.AgentName{Position: table.Position(e.Position), AgentID: e.ID, Name: edited.Name.String()})
		}
		t.Agents.Update(e.ID, func(r *readmodels.Agent) {
			r.Revision = int64(e.Revision)
			changeAgent(r, ev, e.At)
		})
	}
}}

func changeAgent(r *readmodels.Agent, ev agent.Event, at table.Instant) {
	switch ev := ev.(type) {
	case agent.Edited:
		setText(&r.Name, ev.Name)
		setText(&r.Alias, ev.Alias)
		setText(&r.Email, ev.Email)
		if ev.Role != nil {
			r.Role = *ev.Role
		}
	case agent.Deleted:
		r.DeletedAt = at
	}
	r.Devices, r.Paused, r.Departments = presence(r.Devices, r.Paused, r.Departments, ev)
	switch {
	case len(r.Devices) == 0:
		r.Status = readmodels.Offline
	case r.Paused:
		r.Status = readmodels.Paused
	default:
		r.Status = readmodels.Online
	}
}

// presence is what an event makes of an agent's sessions, pause and departments. Lists are replaced, not changed.
func presence(devices table.List[string], paused bool, departments table.List[readmodels.Membership], ev agent.Event) (table.List[string], bool, table.List[readmodels.Membership]) {
	switch ev := ev.(type) {
	case agent.SignedIn:
		devices = with(devices, ev.Device)
		slices.Sort(devices)
	case agent.SignedOut:
		devices = without(devices, ev.Device)
	case agent.Deleted:
		devices = nil
	case agent.Paused:
		paused = true
	case agent.Unpaused:
		paused = false
	case agent.JoinedDepartment:
		departments = with(departments, readmodels.Membership{Department: ev.Department, Tickets: true, Chats: true, Calls: true})
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
	return devices, paused, departments
}

// with returns a list with one more item; the list given stays as it is, for other rows may share it.
func with[L ~[]T, T any](list L, item T) L { return append(slices.Clone(list), item) }

// without returns a list without an item.
func without[L ~[]T, T comparable](list L, item T) L {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return t == item })
}
