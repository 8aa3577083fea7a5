package commands

import (
	"slices"

	"daybook/domain"
	"daybook/domain/profile"
	"daybook/domain/role"
	"daybook/domain/tag"
)

// CreateTag makes a tag for contacts or for tickets. Its name is its own within that registry.
type CreateTag struct {
	Scope tag.Scope `json:"scope" doc:"What the tag is put on"`
	Name  string    `json:"name" doc:"The name, 1 to 200 characters; no other tag of the scope has it"`
	Ref   string    `json:"-"`
}

// Permission is what the caller's role needs.
func (CreateTag) Permission() role.Permission { return role.TagsWrite }

// Decide refuses an empty name and an unknown scope.
func (c CreateTag) Decide(t tag.Tag, _ By) ([]tag.Event, error) {
	if t.Created {
		return nil, domain.Conflict("tag-exists", "There is such a tag already.")
	}
	name, nameErr := profile.Name("name", c.Name)
	var scopeErr error
	if !slices.Contains(tag.Scopes, c.Scope) {
		scopeErr = domain.Invalid("scope", "scope-unknown", "scope must be contacts or tickets.")
	}
	if err := domain.Join(scopeErr, nameErr); err != nil {
		return nil, err
	}
	return happened[tag.Event](tag.Created{Scope: c.Scope, Name: name, Ref: c.Ref})
}
