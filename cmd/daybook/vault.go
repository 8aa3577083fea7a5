package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"daybook/domain/personal"
	"daybook/eventstore"
)

// vaultCommand is for a vault that is not as the log needs it.
type vaultCommand struct {
	AcceptLoss vaultAcceptLoss `cmd:"" help:"Give up the personal text whose keys the vault lacks, because it is older than the log and no newer one is left."`
}

type vaultAcceptLoss struct {
	folder
}

// Run treats everybody whose key is missing as forgotten. It also works while the desk is being served.
func (c *vaultAcceptLoss) Run(ctx context.Context, t terminal) (err error) {
	d, err := readDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	missing, err := d.withoutKeys(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		_, err = fmt.Fprintln(t.out, "The vault has every key that the log needs.")
		return err
	}
	if err := d.vault.GiveUp(ctx, missing...); err != nil {
		return err
	}
	for _, id := range missing {
		fmt.Fprintln(t.out, id)
	}
	_, err = fmt.Fprintf(t.talk, "daybook: personal text about these %d is given up, and reads as %s\n", len(missing), personal.Erased)
	return err
}

// withoutKeys returns everybody whose key the log needs and the vault lacks, in the order of the log.
func (d *parts) withoutKeys(ctx context.Context) (missing []uuid.UUID, err error) {
	head, err := d.store.Head(ctx)
	if err != nil || head == eventstore.Start {
		return nil, err
	}
	seen := make(map[uuid.UUID]bool)
	for batch, err := range d.store.Follow(ctx, eventstore.Start) {
		if err != nil || len(batch) == 0 {
			return missing, err
		}
		for _, e := range batch {
			for _, subject := range append(personal.Subjects(e.Data), personal.Subjects(e.Meta)...) {
				if seen[subject] {
					continue
				}
				seen[subject] = true
				var none *personal.NoKeyError
				if _, err := d.vault.Key(subject); errors.As(err, &none) {
					missing = append(missing, subject)
				} else if err != nil && !errors.Is(err, personal.ErrForgotten) {
					return nil, err
				}
			}
		}
	}
	return missing, nil
}
