package journal

import (
	"encoding/json"
	"reflect"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/agent"
)

var agentVerbs = map[string]maker{
	"agent.create":           command[commands.CreateAgent](agent.Stream),
	"agent.join_department":  command[commands.JoinDepartment](agent.Stream),
	"agent.leave_department": planned(agent.Stream, func(c commands.LeaveDepartment) work.Plan[agent.Agent] { return work.Only(agent.Stream, c) }),
	"agent.sign_in":          command[commands.SignIn](agent.Stream, "device"),
	"agent.sign_out":         command[commands.SignOut](agent.Stream, "device"),
	"agent.pause":            command[commands.Pause](agent.Stream),
	"agent.unpause":          command[commands.Unpause](agent.Stream),
	"agent.switch":           {func() verb { return new(agentSwitch) }, []string{"SwitchServices"}},
}

// agentSwitch switches one service on or off.
type agentSwitch struct {
	agent ref
	switching
}

type switching struct {
	Department ref    `json:"department"`
	Service    string `json:"service"`
	On         bool   `json:"on"`
}

var switchForm = formOf[switching](agent.Stream.Category, nil)

func (v *agentSwitch) read(fields map[string]json.RawMessage) error {
	return switchForm.read(fields, &v.agent, reflect.ValueOf(&v.switching).Elem(), nil)
}

func (v *agentSwitch) play(p *play) (bool, error) {
	c := commands.SwitchServices{Department: p.thing("department", string(v.Department))}
	switch agent.Service(v.Service) {
	case agent.Tickets:
		c.Tickets = &v.On
	case agent.Chats:
		c.Chats = &v.On
	case agent.Calls:
		c.Calls = &v.On
	default:
		return false, domain.Invalid("service", "service-unknown", "service must be one of %v.", agent.AllServices)
	}
	id := p.thing(agent.Stream.Category, string(v.agent))
	a, err := work.Look(p.work, agent.Stream, id)
	joins := err == nil && agent.Stream.Exists(a) && !a.In(c.Department) // it did happen, so the agent was a member
	if joins {
		_, err = work.Run(p.work, agent.Stream, id, commands.JoinDepartment{Department: c.Department}, p.importer())
	}
	if err != nil {
		return false, err
	}
	changed, err := carry(p, agent.Stream, id, work.Of(agent.Stream, c))
	return joins || changed, err
}
