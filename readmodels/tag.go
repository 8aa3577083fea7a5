package readmodels

import (
	"context"

	"github.com/google/uuid"

	"daybook/domain/search"
	"daybook/domain/tag"
	"daybook/readmodels/table"
)

// A Tag can be added to contacts, or to tickets.
type Tag struct {
	ID        uuid.UUID     `db:"tag_id,key" json:"id" doc:"The tag"`
	Scope     tag.Scope     `db:"scope" json:"scope" doc:"What it can be added to: contacts or tickets"`
	Name      string        `db:"name" json:"name" doc:"Its name"`
	Ref       string        `db:"ref" json:"ref,omitempty" doc:"Its reference in the journal that it was imported from"`
	CreatedAt table.Instant `db:"created_at" json:"created_at" doc:"When it was created"`
	Archived  bool          `db:"archived" json:"archived" doc:"Whether it is archived: it stays on what has it, and can be put on nothing more"`
	Events
	Sought
}

// TagsTable is the table of tags.
var TagsTable = table.Table{Name: "tags", Comment: "The tags of contacts and the tags of tickets.", Row: Tag{}}

// A NameFilter selects departments, tags, groups or custom fields. Empty fields select all.
type NameFilter struct {
	Q        string
	Scope    string // tags and custom fields only
	Ref      string
	Deleted  bool // departments only: deleted ones too
	Archived bool // all but departments: archived ones too
}

func (f NameFilter) ask(of table.Table) *table.Question {
	ask := table.Ask(of)
	ask.Words("search", nil, search.Question(f.Q))
	ask.Is("scope", f.Scope)
	ask.Is("ref", f.Ref)
	return ask
}

// inUse is ask, without archived rows unless the filter wants them.
func (f NameFilter) inUse(of table.Table) *table.Question {
	ask := f.ask(of)
	if !f.Archived {
		ask.Say(`NOT e."archived"`, "archived")
	}
	return ask
}

// FindTags lists tags by name.
func FindTags(ctx context.Context, q table.Queryer, f NameFilter, p table.Page) (table.Found[Tag], error) {
	return table.Find[Tag](ctx, q, f.inUse(TagsTable), p, "name", "position")
}
