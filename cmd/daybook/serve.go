package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"daybook/api"
	"daybook/journal"
	"daybook/projections"
)

// serveCommand serves the API and posts the read models, in one process.
type serveCommand struct {
	folder
	Listen  string        `help:"Where the API listens. Anything but loopback needs TLS in front of it." default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN"`
	Metrics string        `help:"Where /metrics listens, without a key; left out, it is on the API's address for loopback only." env:"DAYBOOK_METRICS" placeholder:"ADDRESS"`
	Region  string        `help:"The country (ISO 3166) of phone numbers without a country code; left out, every number needs one. A change does not touch numbers that were kept." env:"DAYBOOK_REGION" placeholder:"IT"`
	Drain   time.Duration `help:"How long requests that were accepted may take after SIGTERM." default:"20s" env:"DAYBOOK_DRAIN"`
}

// Run serves until the context ends, then answers what it accepted.
func (c *serveCommand) Run(ctx context.Context, t terminal) (err error) {
	listener, err := listen(c.Listen, "--listen") // before a desk is made that could not be served
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the server has done so, if it came to serve
	var scraped net.Listener
	if c.Metrics != "" {
		if scraped, err = listen(c.Metrics, "--metrics"); err != nil {
			return err
		}
		defer func() { _ = scraped.Close() }()
	}
	d, err := openDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	ownerKey, err := d.begin(ctx)
	if err != nil {
		return err
	}

	log := slog.New(slog.NewJSONHandler(t.talk, nil))
	posting, stopPosting := context.WithCancel(context.WithoutCancel(ctx))
	o := &operator{desk: d, log: log, posting: posting}
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		o.post(posting)
	}()
	defer func() { stopPosting(); <-posted }()
	go o.tidy(ctx)

	m := newMetrics(o)
	handler := api.New(api.Config{
		Desk: d.commands, Vault: d.vault, Live: d.live, Region: c.Region, Now: time.Now, Log: log,
		Rows: projections.NewRows(d.source), Import: d.importer(c.Region), Operator: o, Drain: ctx,
	})
	server := &http.Server{Handler: m.count(handler, c.Metrics == ""), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	if scraped != nil {
		m.serve(ctx, scraped)
	}

	url := "http://" + listener.Addr().String()
	fmt.Fprintf(t.out, "Daybook serves %s\n  read the API   %s/docs\n", url, url)
	if ownerKey != "" {
		fmt.Fprintf(t.out, "  the owner's key is in %s\n  try            curl -H \"Authorization: Bearer $(cat %s)\" %s/v1/tickets\n", ownerKey, ownerKey, url)
	} else {
		fmt.Fprintf(t.out, "  owner.key is gone; make a key with daybook key create --data %s\n", c.Data)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(t.talk, "daybook: stopping: answering what was accepted")
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Drain)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return fmt.Errorf("some requests took longer than %s and were cut off: %w", c.Drain, err)
	}
	return nil
}

// listen listens on an address that a flag named.
func listen(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return listener, nil
}

// importer plays journals that are sent to the API.
func (d *desk) importer(region string) func(context.Context, api.ImportOptions, io.Reader) (api.ImportAnswer, error) {
	memory := new(journal.Memory)
	return func(ctx context.Context, o api.ImportOptions, lines io.Reader) (api.ImportAnswer, error) {
		answer := api.ImportAnswer{Outcomes: []api.ImportOutcome{}}
		player := &journal.Player{
			Desk: d.commands, Source: o.Source, Actor: o.Actor, Region: region, Strict: o.Strict, RetryRejected: o.RetryRejected, Now: time.Now, Memory: memory,
			Report: func(outcomes []journal.Outcome) {
				for _, line := range outcomes {
					answer.Outcomes = append(answer.Outcomes, api.ImportOutcome{Line: line.Line, ID: line.ID, Outcome: string(line.Result), Code: line.Code, Reason: line.Reason})
				}
			},
		}
		c, err := player.Play(ctx, lines)
		answer.Lines, answer.Accepted, answer.Unchanged, answer.Duplicate, answer.Rejected, answer.Malformed = c.Lines, c.Accepted, c.Unchanged, c.Duplicate, c.Rejected, c.Malformed
		if errors.Is(err, journal.ErrStopped) {
			err = nil
		}
		return answer, err
	}
}
