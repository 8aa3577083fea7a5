package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"daybook/commands/work"
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
	missing, _, err := d.withoutKeys(ctx, eventstore.Start)
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

// withoutKeys returns everybody whose key the log needs after a position and the vault lacks, in the order of the log, and the last
// event that it read. It returns them with an error too.
func (d *parts) withoutKeys(ctx context.Context, after eventstore.Position) (missing []uuid.UUID, last eventstore.Recorded, err error) {
	seen := make(map[uuid.UUID]bool)
	for batch, err := range d.store.Follow(ctx, after) {
		if err != nil || len(batch) == 0 {
			return missing, last, err
		}
		var subjects []uuid.UUID
		for _, e := range batch {
			for _, subject := range work.KeysOf(e) {
				if !seen[subject] {
					seen[subject] = true
					subjects = append(subjects, subject)
				}
			}
			if !e.Notice {
				last = e
			}
		}
		lacks, err := d.vault.Lacks(ctx, subjects...) // a key is durable before the event that needs it
		if err != nil {
			return missing, last, err
		}
		missing = append(missing, lacks...)
	}
	return missing, last, nil
}
