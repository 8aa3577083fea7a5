package commands

import (
	"slices"

	"daybook/domain/address"
	"daybook/domain/personal"

	"daybook/domain"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// CreateTag creates a tag for contacts or for tickets. Its name is unique within that scope.
type CreateTag struct {
	Scope tag.Scope `json:"scope" doc:"Whether the tag is for contacts or for tickets"`
	Name  string    `json:"name" doc:"Name, 1 to 200 characters, unique within the scope"`
	Ref   string    `json:"-"`
}

// Permission returns the permission that the caller needs.
func (CreateTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name and an unknown scope.
func (c CreateTag) Decide(t tag.Tag, by By) ([]tag.Event, error) {
	if t.Created {
		return nil, domain.Conflict("tag-exists", "This tag already exists.")
	}
	name, nameErr := uniqueName(c.Name)
	var scopeErr error
	if !slices.Contains(tag.Scopes, c.Scope) {
		scopeErr = domain.Invalid("scope", "scope-unknown", "scope must be contacts or tickets.")
	}
	if err := domain.Join(scopeErr, nameErr); err != nil {
		return nil, err
	}
	return happened[tag.Event](tag.Created{Scope: c.Scope, Name: name, Held: tag.Named(by.Names, c.Scope, name).ID, Ref: personal.New(c.Ref)})
}

// uniqueName validates a name that only one thing of a kind may have. What cannot be seen makes no name.
func uniqueName(value string) (string, error) {
	value, err := profile.Name("name", profile.Unmarked(value))
	if err != nil {
		return value, err
	}
	switch address.Name(value) {
	case "": // as of an Arabic number sign
		err = domain.Invalid("name", "name-required", "name must have something to see in it.")
	case ".", "..": // a path cannot end with them: it would be another path
		err = domain.Invalid("name", "name-malformed", "name must not be . or .., which mean something else in a path.")
	}
	return value, err
}
