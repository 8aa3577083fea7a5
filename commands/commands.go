// Package commands is what may be asked of the desk. One command, one file: its fields, what it decides, the permission it
// needs.
//
// A command decides purely: from the state of one thing, and from who asks, it makes events or a refusal. A plan does so on
// several things. Package work below carries both out.
package commands

import (
	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/department"
	"daybook/domain/event"
)

// What commands and plans are written in.
type (
	By        = work.By
	Reference = work.Reference
)

// happened makes one event of a decision.
func happened[E event.Event](events ...E) ([]E, error) { return events, nil }

// Long lists the plans that begin operations, so that one can be gone on with after a crash.
var Long = []work.Long{
	work.LongOf[agent.Agent, agent.Event](agent.Stream, DeleteAgent{}).Long(),
	work.LongOf[company.Company, company.Event](company.Stream, DeleteCompany{}).Long(),
	work.LongOf[department.Department, department.Event](department.Stream, DeleteDepartment{}).Long(),
}
