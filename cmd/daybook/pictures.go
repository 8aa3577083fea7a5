package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/agent"
	"daybook/domain/company"
	"daybook/domain/contact"
	"daybook/domain/event"
	"daybook/domain/picture"
	"daybook/readmodels"
	"daybook/readmodels/table"
	"daybook/vault"
)

// lostPictures finds and destroys the pictures in the vault that nothing names: a process was killed after it had kept one and before the
// event, or after the event and before it had destroyed the one that was replaced.
type lostPictures struct {
	desk  *work.Desk
	vault *vault.Vault
	live  *table.Live

	suspects map[uuid.UUID]bool // those that nothing named when they were last looked for; the event of a new one may be on its way
}

// shown are the kinds of things that have pictures: which of some ids their rows name, and the picture of one now.
var shown = []struct {
	rows func(context.Context, table.Queryer, []uuid.UUID, map[uuid.UUID]bool) error
	now  func(context.Context, *work.Desk, uuid.UUID) (picture.Picture, error)
}{
	{namedBy(readmodels.ContactsTable, func(r readmodels.Contact) uuid.UUID { return r.ID }), pictureOf(contact.Stream, func(c contact.Contact) picture.Picture { return c.Picture })},
	{namedBy(readmodels.CompaniesTable, func(r readmodels.Company) uuid.UUID { return r.ID }), pictureOf(company.Stream, func(c company.Company) picture.Picture { return c.Picture })},
	{namedBy(readmodels.AgentsTable, func(r readmodels.Agent) uuid.UUID { return r.ID }), pictureOf(agent.Stream, func(a agent.Agent) picture.Picture { return a.Picture })},
}

func namedBy[R interface {
	Pictures() (large, small uuid.UUID)
}](t table.Table, id func(R) uuid.UUID) func(context.Context, table.Queryer, []uuid.UUID, map[uuid.UUID]bool) error {
	return func(ctx context.Context, q table.Queryer, subjects []uuid.UUID, named map[uuid.UUID]bool) error {
		rows, err := table.Many(ctx, q, t, subjects, id)
		for _, r := range rows {
			large, small := r.Pictures()
			named[large], named[small] = true, true
		}
		return err
	}
}

func pictureOf[S any, E event.Event](kind event.Kind[S, E], of func(S) picture.Picture) func(context.Context, *work.Desk, uuid.UUID) (picture.Picture, error) {
	return func(ctx context.Context, d *work.Desk, id uuid.UUID) (picture.Picture, error) {
		a, err := work.State(ctx, d, kind, id)
		return of(a.State), err
	}
}

// look looks through the vault once, and destroys what nothing names now, and nothing named the last time.
func (l *lostPictures) look(ctx context.Context) error {
	const some = 500
	suspects := make(map[uuid.UUID]bool)
	for after := uuid.Nil; ; {
		blobs, err := l.vault.Blobs(ctx, after, some)
		if err != nil || len(blobs) == 0 {
			l.suspects = suspects
			return err
		}
		after = blobs[len(blobs)-1].ID
		named, err := l.named(ctx, blobs)
		if err != nil {
			return err
		}
		for _, b := range blobs {
			if named[b.ID] {
				continue
			}
			is, err := l.isNamed(ctx, b)
			switch {
			case err != nil:
				return err
			case is:
			case l.suspects[b.ID]:
				if err := l.vault.DropBlobs(ctx, b.ID); err != nil {
					return err
				}
			default:
				suspects[b.ID] = true
			}
		}
	}
}

// named returns the blobs that rows name.
func (l *lostPictures) named(ctx context.Context, blobs []vault.BlobOf) (map[uuid.UUID]bool, error) {
	subjects, named := make([]uuid.UUID, len(blobs)), make(map[uuid.UUID]bool)
	for i, b := range blobs {
		subjects[i] = b.Subject
	}
	return named, l.live.Read(func(db *table.DB) error {
		for _, kind := range shown {
			if err := kind.rows(ctx, db.Readers, subjects, named); err != nil {
				return err
			}
		}
		return nil
	})
}

// isNamed reports whether the log names a blob, whatever the read models have.
func (l *lostPictures) isNamed(ctx context.Context, b vault.BlobOf) (bool, error) {
	for _, kind := range shown {
		p, err := kind.now(ctx, l.desk, b.Subject)
		if err != nil || p.Large == b.ID || p.Small == b.ID {
			return true, err
		}
	}
	return false, nil
}

// lostEvery is how often lost pictures are looked for. A picture is not lost before that long.
const lostEvery = 10 * time.Minute

// dropLostPictures destroys lost pictures until the context ends.
func (o *operator) dropLostPictures(ctx context.Context) {
	l := &lostPictures{desk: o.door.Desk, vault: o.parts.vault, live: o.door.Live}
	for wait := time.Duration(0); ; {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		switch err := l.look(ctx); {
		case errors.Is(err, table.ErrNotReady):
			wait = time.Second
			continue
		case err != nil && ctx.Err() == nil:
			o.log.Error("looking for lost pictures failed and is being retried", "error", err)
		}
		wait = lostEvery
	}
}
