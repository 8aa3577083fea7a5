package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/journal"
)

// simulateCommand fills a desk with made-up data.
type simulateCommand struct {
	folder
	Days int    `help:"Number of days." default:"14"`
	Seed int64  `help:"Seed of the made-up data. The same seed gives the same desk." default:"1"`
	From string `help:"First day; default 2026-01-05." default:"2026-01-05" placeholder:"DATE"`
	To   string `help:"Write the data as a journal to this file, or - for standard output, instead of importing it." type:"path" placeholder:"FILE"`
}

// Run imports the simulated journal. Lines that were imported before are not imported again.
func (c *simulateCommand) Run(ctx context.Context, t terminal) (err error) {
	from, err := time.Parse(time.DateOnly, c.From)
	if err != nil || c.Days < 1 || c.Days > 3650 {
		return status{wrongUsage, errors.New("--from must be a date such as 2026-01-05, and --days 1 to 3650")}
	}
	var lines bytes.Buffer
	if err := journal.Simulate(&lines, c.Seed, from, c.Days); err != nil {
		return err
	}
	switch c.To {
	case "":
	case "-":
		_, err := t.out.Write(lines.Bytes())
		return err
	default:
		return os.WriteFile(c.To, lines.Bytes(), 0o600)
	}
	d, err := openDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if _, err := d.begin(ctx); err != nil {
		return err
	}
	player := &journal.Player{Desk: d.commands, Source: fmt.Sprintf("simulation-%d", c.Seed), Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Now: time.Now, MadeUp: true}
	counts, err := player.Play(ctx, &lines)
	if err == nil {
		err = d.catchUp(ctx)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "%d lines: %d accepted, %d unchanged, %d duplicate, %d rejected, %d malformed\n",
		counts.Lines, counts.Accepted, counts.Unchanged, counts.Duplicate, counts.Rejected, counts.Malformed)
	return err
}
