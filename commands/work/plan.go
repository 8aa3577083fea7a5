package work

import (
	"fmt"

	"github.com/google/uuid"

	"daybook/domain/event"
	"daybook/domain/role"
)

// A Plan is work on one or several things, under one permission, that is decided as a whole in one Work. Its answer is one
// of the things, whose state is S. A single command is a plan too (see Of).
type Plan[S any] interface {
	// Permission returns the permission that the caller needs for everything that the plan does.
	Permission() role.Permission
	// Carry does the work, by Run and Find. id is the id of the thing that the plan is about, or that it creates.
	Carry(w *Work, id uuid.UUID, by By) (Answer[S], error)
}

// Begin carries out a plan as part of a Work, after checking the caller's permission.
func Begin[S any](w *Work, plan Plan[S], id uuid.UUID, by By) (Answer[S], error) {
	if err := by.MustMay(plan.Permission()); err != nil {
		return Answer[S]{}, err
	}
	by.Names = w.desk.Names
	if by.RestsOn != nil {
		w.restsOn = append(w.restsOn, by.RestsOn)
	}
	return plan.Carry(w, id, by)
}

// Of returns the plan of one command on a thing of a kind: the command itself, if it is a plan that does more.
func Of[S any, E event.Event](kind event.Kind[S, E], command Command[S, E]) Plan[S] {
	if _, is := command.(LongCommand[S, E]); is {
		panic(fmt.Sprintf("%T has something follow for other things: make its plan with LongOf", command))
	}
	if plan, is := command.(Plan[S]); is {
		return plan
	}
	return single[S, E]{kind, command}
}

// Only returns the plan of a long command alone, for imported histories: they say themselves what followed.
func Only[S any, E event.Event](kind event.Kind[S, E], command LongCommand[S, E]) Plan[S] {
	return single[S, E]{kind, command}
}

type single[S any, E event.Event] struct {
	kind event.Kind[S, E]
	Command[S, E]
}

func (s single[S, E]) Carry(w *Work, id uuid.UUID, by By) (Answer[S], error) {
	return Run(w, s.kind, id, s.Command, by)
}
