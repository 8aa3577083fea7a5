package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"daybook/projections"
)

// rebuildCommand builds the read models anew.
type rebuildCommand struct {
	folder
	remote
}

// Run rebuilds and says how the new read models differ from the old ones.
func (c *rebuildCommand) Run(ctx context.Context, t terminal) (err error) {
	if c.URL != "" {
		if err := c.call(ctx, c.folder, http.MethodPost, "/v1/projections/rebuild", nil, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintln(t.out, "The rebuild has begun; /v1/projections says how far it is.")
		return err
	}
	d, err := openDesk(c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	running, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stop(d.engine.Run(running, nil))
	}()
	defer func() { stop(nil); <-ended }()
	head, err := d.store.Head(ctx)
	if err == nil {
		err = d.live.Wait(running, head)
	}
	if err != nil {
		return errors.Join(context.Cause(running), err)
	}
	bar := progress(t.talk, int(head), "events")
	differences := 0
	err = d.engine.Rebuild(running, projections.RebuildOptions{
		Progress: func(p projections.Progress) {
			bar.ChangeMax(int(p.Total))
			bar.Set(int(p.Done))
			bar.Describe(string(p.Step))
		},
		Compare: func(d projections.Difference) error {
			differences++
			_, err := fmt.Fprintln(t.out, d)
			return err
		},
	})
	bar.Finish()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "Rebuilt from %d events; %d differences from the read models before.\n", head, differences)
	return err
}
