package commands

import (
	"cmp"

	"daybook/domain"
	"daybook/domain/address"
	"daybook/domain/agent"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditAgent changes some of an agent's fields. Fields that are left out stay as they are.
type EditAgent struct {
	Name  *string    `json:"name,omitempty" doc:"Name shown to other agents, 1 to 200 characters"`
	Email *string    `json:"email,omitempty" doc:"E-mail address: the login, and where notifications go"`
	Role  *role.Role `json:"role,omitempty" enum:"owner,admin,agent" doc:"Role, which says what the agent may do"`
	Alias *string    `json:"alias,omitempty" doc:"Name shown to contacts instead of the agent's own"`
}

// Permission returns the permission that the caller needs.
func (EditAgent) Permission() role.Permission { return role.AgentsWrite }

// Decide keeps only values that change something. Only an owner may make, edit or demote owners.
func (c EditAgent) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := a.MustExist(); err != nil {
		return nil, err
	}
	if err := cmp.Or(mustManage(a, by), mayBecome(c.Role, by)); err != nil {
		return nil, err
	}
	var edited agent.Edited
	var nameErr, aliasErr, emailErr, roleErr error
	if c.Name != nil {
		nameErr = changed(&edited.Name, a.Name, func() (string, error) { return profile.Name("name", *c.Name) })
	}
	if c.Alias != nil {
		aliasErr = changed(&edited.Alias, a.Alias, func() (string, error) { return profile.Line("alias", *c.Alias, profile.MaxName) })
	}
	if c.Email != nil {
		var email string
		email, emailErr = address.Email("email", *c.Email)
		if login := agent.Login(by.Names, email); login.Hash != a.Email.Hash {
			edited.Email = &login
		}
	}
	if c.Role != nil && *c.Role != a.Role {
		edited.Role, roleErr = c.Role, knownRole(*c.Role)
	}
	if err := domain.Join(nameErr, emailErr, roleErr, aliasErr); err != nil {
		return nil, err
	}
	if edited == (agent.Edited{}) {
		return nil, nil
	}
	return happened[agent.Event](edited)
}

// changed sets change to the validated value, unless the field already has it.
func changed(change **personal.Text, held personal.Text, clean func() (string, error)) error {
	value, err := clean()
	if text := personal.New(value); err == nil && text != held {
		*change = &text
	}
	return err
}
