package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// rebuildCommand rebuilds the read models.
type rebuildCommand struct {
	folder
	remote
}

// Run rebuilds the read models, and prints how the new ones differ from the old ones.
func (c *rebuildCommand) Run(ctx context.Context, t terminal) (err error) {
	if c.URL != "" {
		if err := c.call(ctx, c.folder, http.MethodPost, "/v1/projections/rebuild", nil, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.out, "The rebuild has started. GET /v1/projections shows its progress.")
		return err
	}
	if err := c.mustBe(ctx); err != nil {
		return err
	}
	spareMemory()
	d, err := openDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	return d.whileProjecting(ctx, func(ctx context.Context) error { return rebuild(ctx, d, t) })
}

// spareMemory has garbage collected twice as often. Who imports or rebuilds needs a quarter less memory for it, and a tenth more time.
func spareMemory() { debug.SetGCPercent(50) }

func rebuild(ctx context.Context, d *parts, t terminal) error {
	var events int64
	differences := 0
	bar := progress(t.talk, 1, "events")
	err := d.rebuild(ctx, engine.RebuildOptions{
		Progress: func(p engine.Progress) {
			events = p.Done
			bar.ChangeMax64(p.Total)
			bar.Describe(string(p.Step))
			bar.Set64(p.Done)
		},
		Compare: func(d engine.Difference) error {
			differences++
			_, err := fmt.Fprintln(t.out, d)
			return err
		},
	})
	bar.Finish()
	if errors.Is(err, engine.ErrElsewhere) {
		return status{conflict, errors.New("another process projects these read models. Stop it first, or use --url to have it do the rebuild")}
	}
	if errors.Is(err, table.ErrTermOver) {
		return status{conflict, fmt.Errorf("%w. The read models are as they were. Run it again; if nothing else projects, give a longer --lease", err)}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "Rebuilt from %d events, with %d differences from the previous read models.\n", events, differences)
	return err
}
