package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"daybook/api"
)

// verifyCommand compares the read models with the log.
type verifyCommand struct {
	folder
	remote
	Output string `short:"o" help:"Output format: text or json." enum:"text,json" default:"text"`
}

// Run also works while another process serves the desk. If there are differences, the exit status is 5.
func (c *verifyCommand) Run(ctx context.Context, t terminal) (err error) {
	var v api.Verification
	if c.URL != "" {
		err = c.call(ctx, c.folder, http.MethodPost, "/v1/projections/verify", nil, &v)
	} else {
		v, err = c.verify(ctx)
	}
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = json.NewEncoder(t.out).Encode(v)
	} else {
		for _, d := range v.Differences {
			fmt.Fprintln(t.out, d)
		}
		_, err = fmt.Fprintf(t.out, "%d events, %d rows, %d differences at position %s\n", v.Events, v.Rows, v.Found, v.Position)
	}
	switch {
	case err != nil:
	case v.Stopped != "":
		err = status{notAsItIs, fmt.Errorf("the read models end at position %s: %s", v.Position, v.Stopped)}
	case !v.Same:
		err = status{notAsItIs, errors.New("the read models differ from the log; run daybook rebuild to repair them")}
	}
	return err
}

func (c *verifyCommand) verify(ctx context.Context) (v api.Verification, err error) {
	d, err := readDesk(ctx, c.folder)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	db, err := d.source.OpenLive(ctx, d.home)
	if err != nil {
		return v, err
	}
	if db == nil {
		return v, status{notFound, fmt.Errorf("the desk in %s has no read models yet: run daybook serve or daybook rebuild first", c.Data)}
	}
	head, err := d.store.Head(ctx)
	if err != nil {
		return v, errors.Join(err, db.Close())
	}
	d.live.Switch(db, head)
	return (&operator{parts: d}).Verify(ctx)
}
