package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/agent"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// CreateAgent creates an agent. Name, e-mail address and role are required. The e-mail address is the login and belongs
// to one agent at a time.
type CreateAgent struct {
	Name  string    `json:"name" doc:"Name shown to other agents, 1 to 200 characters"`
	Email string    `json:"email" doc:"E-mail address: the login, and where notifications go"`
	Role  role.Role `json:"role" enum:"owner,admin,agent" doc:"Role, which says what the agent may do"`
	Alias string    `json:"alias,omitempty" doc:"Name shown to contacts instead of the agent's own"`
	Ref   string    `json:"-"`
}

// Permission returns the permission that the caller needs.
func (CreateAgent) Permission() role.Permission { return role.AgentsWrite }

// Decide validates the fields. Only an owner may create owners.
func (c CreateAgent) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if a.Created {
		return nil, domain.Conflict("agent-exists", "This agent already exists.")
	}
	name, nameErr := profile.Name("name", c.Name)
	alias, aliasErr := profile.Line("alias", c.Alias, profile.MaxName)
	email, emailErr := address.Email("email", c.Email)
	if err := domain.Join(nameErr, emailErr, knownRole(c.Role), aliasErr); err != nil {
		return nil, err
	}
	if err := mayBecome(&c.Role, by); err != nil {
		return nil, err
	}
	return happened[agent.Event](agent.Created{
		Name: personal.New(name), Alias: personal.New(alias), Email: agent.Login(by.Names, email), Role: c.Role, Ref: personal.New(c.Ref),
	})
}

// mustManage refuses a caller who may not manage this agent: only owners manage owners.
func mustManage(a agent.Agent, by By) error {
	if a.Role != role.Owner || by.History {
		return nil
	}
	return by.MustMay(role.OwnersWrite)
}

// mayBecome refuses a caller who may not give an agent a role: only owners make owners, also by an imported history.
func mayBecome(r *role.Role, by By) error {
	if r == nil || *r != role.Owner {
		return nil
	}
	return by.MustMay(role.OwnersWrite)
}

func knownRole(r role.Role) error {
	if !slices.Contains(role.AgentRoles, r) {
		return domain.Invalid("role", "role-unknown", "role must be one of %v.", role.AgentRoles)
	}
	return nil
}
