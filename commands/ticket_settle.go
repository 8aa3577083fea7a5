package commands

import (
	"slices"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/role"
	"daybook/domain/ticket"
)

// settled lets a command decide on a ticket, and settles the ticket if that moved it or made it workable again.
func settled(w *work.Work, id uuid.UUID, command work.Command[ticket.Ticket, ticket.Event], by By) (work.Answer[ticket.Ticket], error) {
	before, err := work.Look(w, ticket.Stream, id)
	if err != nil {
		return work.Answer[ticket.Ticket]{}, err
	}
	answer, err := work.Run(w, ticket.Stream, id, command, by)
	if err != nil || !answer.Changed || answer.Replayed {
		return answer, err
	}
	if slices.Contains(ticket.Unfinished, before.Status) && before.Department == answer.State.Department {
		return answer, nil
	}
	if err := settle(w, id, by.Aside(work.EventID(by.Request, ticket.Stream.Stream(id), 0))); err != nil {
		return answer, err
	}
	answer.State, err = work.Look(w, ticket.Stream, id)
	return answer, err
}

// settle puts a workable ticket where it can be worked on. If its department was deleted, it goes where the tickets of that
// one went. If its agent was deleted or does not serve its department, it is nobody's. In an imported history, agents need
// not serve it.
func settle(w *work.Work, id uuid.UUID, by By) error {
	t, err := work.Look(w, ticket.Stream, id)
	if err != nil || t.MustBeWorkable() != nil {
		return err
	}
	place := settleIn{agent: t.Agent}
	if place.department, err = heir(w, t.Department); err != nil {
		return err
	}
	if t.Agent != uuid.Nil {
		a, err := work.Look(w, agent.Stream, t.Agent)
		if err != nil {
			return err
		}
		if serves := place.department == uuid.Nil || a.In(place.department) || by.History; !agent.Stream.Exists(a) || !serves {
			place.agent = uuid.Nil
		}
	}
	by.Sight = role.Everything // who transferred the ticket may not see it where it is now
	_, err = work.Run(w, ticket.Stream, id, place, by)
	return err
}

// settleIn is the step of a plan that says in which department a ticket is, and whose it is: the same as before, or none's.
type settleIn struct{ department, agent uuid.UUID }

func (c settleIn) Decide(t ticket.Ticket, _ By) (events []ticket.Event, err error) {
	if t.Department != c.department {
		events = append(events, ticket.Transferred{Department: c.department, Cause: ticket.ByDeletion})
	}
	if t.Agent != c.agent {
		events = append(events, ticket.Unassigned{})
	}
	return events, nil
}

// handBack returns the step of a plan that settles a ticket if it is still an agent's.
func handBack(of uuid.UUID) func(w *work.Work, id uuid.UUID, by By) error {
	return func(w *work.Work, id uuid.UUID, by By) error {
		t, err := work.Look(w, ticket.Stream, id)
		if err != nil || t.Agent != of {
			return err
		}
		return settle(w, id, by)
	}
}
