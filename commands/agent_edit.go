package commands

import (
	"daybook/domain"
	"daybook/domain/agent"
	"daybook/domain/personal"
	"daybook/domain/profile"
	"daybook/domain/role"
)

// EditAgent gives some of an agent's fields new values; those left out stay.
type EditAgent struct {
	Name  *string    `json:"name,omitempty" doc:"The name that agents see, 1 to 200 characters"`
	Email *string    `json:"email,omitempty" doc:"The login, and where notifications go"`
	Role  *role.Role `json:"role,omitempty" enum:"owner,admin,agent" doc:"What the agent may do"`
	Alias *string    `json:"alias,omitempty" doc:"The name that contacts see instead"`
}

// Permission is what the caller's role needs.
func (EditAgent) Permission() role.Permission { return role.AgentsWrite }

// Decide drops what is so already; only an owner makes, changes or unmakes owners.
func (c EditAgent) Decide(a agent.Agent, by By) ([]agent.Event, error) {
	if err := a.MustExist(); err != nil {
		return nil, err
	}
	if a.Role == role.Owner || c.Role != nil && *c.Role == role.Owner {
		if err := by.MustMay(role.OwnersWrite); err != nil {
			return nil, err
		}
	}
	var edited agent.Edited
	var nameErr, aliasErr, emailErr, roleErr error
	if c.Name != nil {
		nameErr = changed(&edited.Name, a.Name, func() (string, error) { return profile.Name("name", *c.Name) })
	}
	if c.Alias != nil {
		aliasErr = changed(&edited.Alias, a.Alias, func() (string, error) { return profile.Text("alias", *c.Alias, profile.MaxName) })
	}
	if c.Email != nil {
		emailErr = changed(&edited.Email, a.Email, func() (string, error) { return profile.Email("email", *c.Email) })
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

// changed sets a change to a cleaned value unless the field holds it already.
func changed(change **personal.Text, held personal.Text, clean func() (string, error)) error {
	value, err := clean()
	if text := personal.New(value); err == nil && text != held {
		*change = &text
	}
	return err
}
