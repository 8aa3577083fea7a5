package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// replayCommand writes the read models of a past moment to a file.
type replayCommand struct {
	folder
	AsOf string `required:"" help:"The past moment: an instant (RFC 3339), which keeps what had happened by then, or a position of the log." placeholder:"T"`
	To   string `required:"" help:"File to write, an SQLite database." type:"path" placeholder:"FILE"`
}

// Run also works while another process serves the desk.
func (c *replayCommand) Run(ctx context.Context, t terminal) (err error) {
	cut, err := cutAt(c.AsOf)
	if err != nil {
		return err
	}
	d, err := readDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.source.Replay(ctx, cut, c.To); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%s holds the read models as of %s\n", c.To, c.AsOf)
	return err
}

func cutAt(asOf string) (engine.Cut, error) {
	if position, err := eventstore.ParsePosition(asOf); err == nil && position > 0 {
		return engine.Cut{Position: position}, nil
	}
	at, err := domain.Instant(asOf)
	if err != nil {
		return engine.Cut{}, status{wrongUsage, fmt.Errorf("--as-of must be an instant, such as 2012-01-01T00:00:00+01:00, or a position of the log from 1 on, not %q", asOf)}
	}
	if at.After(time.Now()) {
		return engine.Cut{}, status{wrongUsage, errors.New("--as-of must not be in the future")}
	}
	return engine.Cut{At: table.At(at)}, nil
}
