package work

import (
	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/role"
)

// A Plan is work on one thing or several, under one permission, that is carried out in one Work: all of it or nothing. It
// ends in one thing, whose state is S, and which it answers with. Every door takes plans: a command on one thing is one
// (see Of).
type Plan[S any] interface {
	// Permission is what the caller needs, for all that the plan does.
	Permission() role.Permission
	// Carry does the work, by Run and Find. id is that of the thing it is about, or of the thing that it is to make.
	Carry(w *Work, id uuid.UUID, by By) (Answer[S], error)
}

// Begin does what a plan has to do in one Work, if the caller may.
func Begin[S any](w *Work, plan Plan[S], id uuid.UUID, by By) (Answer[S], error) {
	if err := by.MustMay(plan.Permission()); err != nil {
		return Answer[S]{}, err
	}
	return plan.Carry(w, id, by)
}

// Of makes a plan of one command on a thing of a kind.
func Of[S any, E event.Event](kind event.Kind[S, E], command Command[S, E]) Plan[S] {
	return single[S, E]{kind, command}
}

type single[S any, E event.Event] struct {
	kind event.Kind[S, E]
	Command[S, E]
}

func (s single[S, E]) Carry(w *Work, id uuid.UUID, by By) (Answer[S], error) {
	return Run(w, s.kind, id, s.Command, by)
}
