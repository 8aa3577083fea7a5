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
	"daybook/domain/desk"
	"daybook/journal"
)

// serveCommand serves a desk: alone, or together with other processes that each do a part.
type serveCommand struct {
	folder
	Only    []string      `help:"What this process does: api, projections, reactions; other processes must do the rest. To leave one out, --events and --read-models are required." enum:"api,projections,reactions" default:"api,projections,reactions" env:"DAYBOOK_ONLY"`
	Listen  string        `help:"Address where the API listens. Put TLS in front of any address but loopback." default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN"`
	Metrics string        `help:"Address where /metrics listens, without an API key. By default it is served at the API's address, to requests with an API key." env:"DAYBOOK_METRICS" placeholder:"ADDRESS"`
	Region  region        `help:"Country (ISO 3166) of phone numbers without a country code. If not set, such numbers are refused. Stored numbers do not change with it." env:"DAYBOOK_REGION" placeholder:"IT"`
	Verify  *timeOfDay    `name:"verify-daily" help:"Time of day (HH:MM) at which the desk is verified; the outcome is in the log and in the metrics. By default it is not." env:"DAYBOOK_VERIFY_DAILY" placeholder:"HH:MM"`
	Linger  time.Duration `help:"How long to keep serving after SIGTERM while /readyz fails, so that a load balancer stops sending requests." default:"0s" env:"DAYBOOK_LINGER"`
	Limits  api.Limits    `embed:"" prefix:"limit-" envprefix:"DAYBOOK_LIMIT_"`
	Drain   time.Duration `help:"How long requests in progress may take after that before they are cut off." default:"20s" env:"DAYBOOK_DRAIN"`
}

// The parts that a desk needs.
const (
	theAPI         = "api"
	theProjections = "projections" // projecting the read models
	theReactions   = "reactions"   // what the desk does by itself: resuming interrupted operations and deleting old idempotency keys
)

func (c *serveCommand) does(part string) bool { return slices.Contains(c.Only, part) }

// check returns an error if this process does only a part of a desk that no other process can open.
func (c *serveCommand) check() error {
	if c.shared() || c.does(theAPI) && c.does(theProjections) && c.does(theReactions) {
		return nil
	}
	return status{wrongUsage, errors.New("--only requires --events and --read-models: only one process can use files in the data folder, and it must do everything")}
}

// Run serves until the context ends, then finishes the requests in progress.
func (c *serveCommand) Run(ctx context.Context, t terminal) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	listener, err := listen(c.Listen, "--listen") // before creating a desk that could not be served
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // the server has done so if it started
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
	projecting, stopProjecting := context.WithCancel(context.WithoutCancel(ctx))
	door := access.New(&access.Door{Desk: d.commands, Vault: d.vault, Live: d.live, Region: string(c.Region), Now: time.Now, Background: projecting, Failing: func(err error) { log.Warn("work in the background failed", "error", err) }})
	if c.shared() {
		door.Lease = c.Lease
	}
	d.snaps.Tell(func(err error) { log.Warn("a snapshot is not used, and the log is read instead", "error", err) })
	o := &operator{parts: d, door: door, log: log, projecting: projecting, stopping: ctx, verified: newVerifyMetrics()}
	c.begin(o)
	defer func() { stopProjecting(); o.atWork.Wait(); door.Wait() }()

	m := newMetrics(o)
	scrapedHere := m.handler
	if scraped != nil {
		scrapedHere = nil
	}
	handler := api.New(api.Config{
		Door: o.door, Log: log, Rows: d.rows, Import: d.importer(string(c.Region)), Operator: o, Drain: ctx, OperationsOnly: !c.does(theAPI),
		Limits: c.Limits, Exceeded: m.exceeded, Metrics: scrapedHere,
	})
	if scraped != nil {
		m.serve(ctx, scraped)
	}
	c.welcome(t, "http://"+listener.Addr().String(), ownerKey)
	return c.answer(ctx, t, listener, leaving(ctx, m.count(handler)))
}

// begin starts what this process does in the background.
func (c *serveCommand) begin(o *operator) {
	keep := o.follow
	if c.does(theProjections) {
		keep = o.project
	}
	o.atWork.Go(func() { keep(o.projecting) })
	o.atWork.Go(func() { o.note(o.projecting) })
	if c.does(theAPI) {
		o.atWork.Go(func() {
			o.door.Follow(o.projecting, func(err error) { o.log.Warn("following the log failed and is being retried", "error", err) })
		})
	}
	if c.Verify != nil {
		o.atWork.Go(func() { o.verifyDaily(o.stopping, *c.Verify) })
	}
	if c.does(theReactions) {
		o.atWork.Go(func() { o.tidy(o.projecting) })
		o.atWork.Go(func() { o.dropLostPictures(o.projecting) })
		o.atWork.Go(func() { o.recordKeys(o.projecting) })
		o.atWork.Go(func() { o.resume(o.projecting) })
	}
}

// welcome prints where the desk is served and how to use it.
func (c *serveCommand) welcome(t terminal, url, ownerKey string) {
	fmt.Fprintf(t.out, "Daybook serves %s\n  read the API   %s/docs\n", url, url)
	switch {
	case !c.does(theAPI):
		fmt.Fprintf(t.out, "  only           %s\n", strings.Join(c.Only, ", "))
	case ownerKey != "":
		fmt.Fprintf(t.out, "  the owner's key is in %s\n  try            curl -H \"Authorization: Bearer $(cat %s)\" %s/v1/tickets\n", ownerKey, ownerKey, url)
	default:
		fmt.Fprintf(t.out, "  owner.key is not here; create a key with daybook key create --data %s\n", c.Data)
	}
}

// answer serves until the context ends, and then finishes the requests in progress.
func (c *serveCommand) answer(ctx context.Context, t terminal, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 256 << 10}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	fmt.Fprintln(t.talk, "daybook: stopping, finishing the requests in progress")
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

// leaving closes each connection after its next answer, once the context has ended.
func leaving(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// listen listens on the address that a flag gave.
func listen(address, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return listener, nil
}

// importer imports journals that are sent to the API.
func (d *parts) importer(region string) func(context.Context, api.ImportOptions, io.Reader) (desk.Counts, error) {
	memory := new(journal.Memory)
	return func(ctx context.Context, o api.ImportOptions, lines io.Reader) (desk.Counts, error) {
		player := &journal.Player{
			Desk: d.commands, Source: o.Source, Actor: o.Actor, Principal: o.Principal, Allowed: o.Allowed, Region: region, Strict: o.Strict, RetryRejected: o.RetryRejected, Unpacked: o.Unpacked, Now: time.Now, Memory: memory,
			Report: func(outcomes []journal.Outcome) {
				shown := make([]api.ImportOutcome, len(outcomes))
				for i, line := range outcomes {
					shown[i] = api.ImportOutcome{Line: line.Line, ID: line.ID, Outcome: string(line.Result), Code: line.Code, Reason: line.Reason}
				}
				o.Report(shown)
			},
		}
		counts, err := player.Play(ctx, lines)
		if errors.Is(err, journal.ErrStopped) {
			err = nil
		}
		return counts, err
	}
}
