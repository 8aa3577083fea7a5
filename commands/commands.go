// Package commands holds the desk's commands, one file each: its fields, its decision and the permission it needs.
//
// A decision is a pure function. From the state of one thing and from who asks, it returns events or a refusal. A plan
// does the same for several things. Package work executes both.
package commands

import (
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/department"
	"daybook/domain/event"
)

// Short names for the types that every command uses.
type (
	By        = work.By
	Reference = work.Reference
)

// happened returns events as the result of a decision.
func happened[E event.Event](events ...E) ([]E, error) { return events, nil }

// notByContact refuses a contact as the author of words that are sealed under the key of whose ticket they are on.
func notByContact(by By) error {
	if by.Actor.Kind == event.Contact {
		return domain.Invalid("by", "not-by-contact", "A contact writes messages: use ticket.receive, or name who did this.")
	}
	return nil
}

// Long lists the plans that begin operations, so that an operation can be resumed after a crash.
var Long = []work.Long{
	work.LongOf[agent.Agent, agent.Event](agent.Stream, DeleteAgent{}).Long(),
	work.LongOf[agent.Agent, agent.Event](agent.Stream, LeaveDepartment{}).Long(),
	work.LongOf[company.Company, company.Event](company.Stream, DeleteCompany{}).Long(),
	work.LongOf[department.Department, department.Event](department.Stream, DeleteDepartment{}).Long(),
}
