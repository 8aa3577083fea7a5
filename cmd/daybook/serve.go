package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"daybook/access"
	"daybook/api"
	"daybook/journal"
	"daybook/projections/engine"
)

// serveCommand serves a desk: all of it in one process, or a part, beside others.
type serveCommand struct {
	folder
	Only    []string      `help:"What this process does of what a desk needs, beside others that do the rest: api, projections, reactions. To leave one out, the log and the read models must be elsewhere: --events and --read-models." enum:"api,projections,reactions" default:"api,projections,reactions" env:"DAYBOOK_ONLY"`
	Listen  string        `help:"Where the API listens. Anything but loopback needs TLS in front of it." default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN"`
	Metrics string        `help:"Where /metrics listens, without a key; left out, it is on the API's address for loopback only." env:"DAYBOOK_METRICS" placeholder:"ADDRESS"`
	Region  string        `help:"The country (ISO 3166) of phone numbers without a country code; left out, every number needs one. A change does not touch numbers that were kept." env:"DAYBOOK_REGION" placeholder:"IT"`
	Linger  time.Duration `help:"How long to serve on after SIGTERM while /readyz says no, so that a load balancer sends requests elsewhere." default:"0s" env:"DAYBOOK_LINGER"`
	Drain   time.Duration `help:"How long requests that were accepted may take after that." default:"20s" env:"DAYBOOK_DRAIN"`
}

// What a desk needs.
const (
	theAPI         = "api"
	theProjections = "projections" // posting the read models
	theReactions   = "reactions"   // what the desk does by itself: it goes on with operations that were cut short, and forgets old idempotency keys
)

func (c *serveCommand) does(part string) bool { return slices.Contains(c.Only, part) }

// check refuses to do only a part where nobody else can do the rest.
func (c *serveCommand) check() error {
	if c.shared() || c.does(theAPI) && c.does(theProjections) && c.does(theReactions) {
		return nil
	}
	return status{wrongUsage, errors.New("--only needs --events and --read-models: files in the folder are for one process, which does everything")}
}

// Run serves until the context ends, then answers what it accepted.
func (c *serveCommand) Run(ctx context.Context, t terminal) (err error) {
	if err := c.check(); err != nil {
		return err
	}
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
	door := access.New(&access.Door{Desk: d.commands, Vault: d.vault, Live: d.live, Region: c.Region, Now: time.Now, Background: posting})
	if c.shared() {
		door.Lease = c.Lease
	}
	o := &operator{parts: d, door: door, log: log, posting: posting, stopping: ctx}
	c.begin(o)
	defer func() { stopPosting(); o.atWork.Wait(); door.Wait() }()

	m := newMetrics(o)
	handler := api.New(api.Config{
		Door: o.door, Log: log, Rows: engine.NewRows(d.source), Import: d.importer(c.Region), Operator: o, Drain: ctx, OperationsOnly: !c.does(theAPI),
	})
	if scraped != nil {
		m.serve(ctx, scraped)
	}
	c.welcome(t, "http://"+listener.Addr().String(), ownerKey)
	return c.answer(ctx, t, listener, leaving(ctx, m.count(handler, c.Metrics == "")))
}

// begin begins what this process does besides answering.
func (c *serveCommand) begin(o *operator) {
	keep := o.follow
	if c.does(theProjections) {
		keep = o.post
	}
	o.atWork.Go(func() { keep(o.posting) })
	if c.does(theAPI) {
		o.atWork.Go(func() {
			o.door.Follow(o.posting, func(err error) { o.log.Warn("following the log is tried again", "error", err) })
		})
	}
	if c.does(theReactions) {
		o.atWork.Go(func() { o.tidy(o.posting) })
		o.atWork.Go(func() { o.resume(o.posting) })
	}
}

// welcome says where to look.
func (c *serveCommand) welcome(t terminal, url, ownerKey string) {
	fmt.Fprintf(t.out, "Daybook serves %s\n  read the API   %s/docs\n", url, url)
	switch {
	case !c.does(theAPI):
		fmt.Fprintf(t.out, "  only           %s\n", strings.Join(c.Only, ", "))
	case ownerKey != "":
		fmt.Fprintf(t.out, "  the owner's key is in %s\n  try            curl -H \"Authorization: Bearer $(cat %s)\" %s/v1/tickets\n", ownerKey, ownerKey, url)
	default:
		fmt.Fprintf(t.out, "  owner.key is gone; make a key with daybook key create --data %s\n", c.Data)
	}
}

// answer serves until the context ends, and then what it has accepted.
func (c *serveCommand) answer(ctx context.Context, t terminal, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(t.talk, "daybook: stopping: answering what was accepted")
	select {
	case err := <-stopped:
		return err
	case <-time.After(c.Linger):
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Drain)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return fmt.Errorf("some requests took longer than %s and were cut off: %w", c.Drain, errors.Join(err, server.Close()))
	}
	return nil
}

// leaving closes connections after their next answer when the context has ended.
func leaving(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
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
func (d *parts) importer(region string) func(context.Context, api.ImportOptions, io.Reader) (api.ImportAnswer, error) {
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
		var err error
		answer.Counts, err = player.Play(ctx, lines)
		if errors.Is(err, journal.ErrStopped) {
			err = nil
		}
		return answer, err
	}
}
