package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"daybook/access"
	"daybook/api"
	"daybook/domain"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// operator runs and manages the read models while the desk is served.
type operator struct {
	parts      *parts
	door       *access.Door
	log        *slog.Logger
	projecting context.Context // ends when the projections must stop
	stopping   context.Context // ends when the server is asked to stop
	atWork     sync.WaitGroup  // goroutines that must end before the desk is closed
	verifying  singleflight.Group
	verified   verifyMetrics
}

// project runs the engine. An error that stops it is logged and shown in /readyz; commands still work.
func (o *operator) project(ctx context.Context) {
	failing := func(err error) {
		if newer := (*engine.NewerError)(nil); errors.As(err, &newer) {
			o.log.Error("the read models wait for a newer version", "error", err)
			return
		}
		o.log.Warn("projecting the read models failed and is being retried", "error", err)
	}
	if err := o.parts.engine.Run(ctx, engine.RunOptions{Patient: true, Failing: failing}); err != nil && ctx.Err() == nil {
		o.log.Error("the read models are no longer projected", "error", err)
	}
}

// follow runs the engine in a process that does not project.
func (o *operator) follow(ctx context.Context) {
	if err := o.parts.engine.Follow(ctx); err != nil && ctx.Err() == nil {
		o.log.Error("the read models are no longer followed", "error", err)
	}
}

// tidy deletes old idempotency keys, now and once a day.
func (o *operator) tidy(ctx context.Context) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if err := o.parts.vault.DropOutcomes(ctx, time.Now()); err != nil && ctx.Err() == nil {
			o.log.Error("deleting old idempotency keys failed", "error", err)
		}
		select {
		case <-daily.C:
		case <-ctx.Done():
			return
		}
	}
}

// recordKeys writes the events of API keys that other processes, such as the key command, have changed in the vault.
func (o *operator) recordKeys(ctx context.Context) {
	often := time.NewTicker(time.Second)
	defer often.Stop()
	for failing := false; ; {
		err := errors.Join(access.RecordKeys(ctx, o.door.Desk, o.door.Vault), access.RecordLosses(ctx, o.door.Desk, o.door.Vault, time.Now()))
		if err != nil && ctx.Err() == nil && !failing {
			o.log.Error("recording API keys failed and is being retried", "error", err)
		}
		failing = err != nil
		select {
		case <-often.C:
		case <-ctx.Done():
			return
		}
	}
}

// resume continues operations whose process died, once they have made no progress for a lease.
func (o *operator) resume(ctx context.Context) {
	again := time.NewTicker(cmp.Or(o.door.Lease, time.Minute))
	defer again.Stop()
	for {
		if err := o.door.Resume(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, table.ErrNotReady) {
			o.log.Error("resuming interrupted operations failed", "error", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// statusWithin is how long a status may take. Without it, a log that is away would be waited for.
const statusWithin = 5 * time.Second

func (o *operator) status(ctx context.Context) ([]engine.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	return o.parts.engine.Status(ctx)
}

// ahead returns by how much the log's recording times are ahead of its clock.
func (o *operator) ahead(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	return o.parts.store.Ahead(ctx)
}

// Status returns the status of each projection.
func (o *operator) Status(ctx context.Context) ([]api.ProjectionStatus, error) {
	all, err := o.status(ctx)
	if err != nil {
		return nil, err
	}
	parked, err := o.parked(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]api.ProjectionStatus, len(all))
	for i, s := range all {
		shown[i] = api.ProjectionStatus{
			Name: s.Name, Version: s.Version, Position: s.Position.String(), Applied: s.Applied, LagEvents: s.Lag,
			LagSeconds: s.Behind.Seconds(), State: string(s.State), Posting: s.Posting, Parked: parked[s.Name],
		}
		if shown[i].Parked == nil {
			shown[i].Parked = []string{}
		}
		if !s.Moved.IsZero() {
			shown[i].LastProgress = s.Moved.UTC().Format(time.RFC3339)
		}
		if s.Err != nil {
			shown[i].Failure = s.Err.Error()
		}
	}
	return shown, nil
}

// parked returns the streams that each projection has parked.
func (o *operator) parked(ctx context.Context) (map[string][]string, error) {
	streams := make(map[string][]string)
	err := o.parts.live.Read(func(db *table.DB) error {
		all, err := table.ReadParked(ctx, db.Readers)
		for _, p := range all {
			streams[p.Projection] = append(streams[p.Projection], p.Stream)
		}
		return err
	})
	if errors.Is(err, table.ErrNotReady) {
		err = nil
	}
	return streams, err
}

// Rebuild starts a rebuild. If it fails later, the error is logged.
func (o *operator) Rebuild(context.Context) error {
	began := make(chan error, 1)
	o.atWork.Go(func() {
		err := o.parts.rebuild(o.projecting, engine.RebuildOptions{})
		began <- err
		if err != nil && !errors.Is(err, engine.ErrRebuilding) && !errors.Is(err, engine.ErrElsewhere) {
			o.log.Error("rebuilding the read models failed", "error", err)
		}
	})
	select {
	case err := <-began:
		if errors.Is(err, engine.ErrRebuilding) {
			return domain.Conflict("rebuilding", "The read models are already being rebuilt. GET /v1/projections shows the progress.")
		}
		return elsewhere(err)
	case <-time.After(100 * time.Millisecond): // a refusal would have come by now
		return nil
	}
}

// elsewhere turns an error of the engine into a refusal that says where or when to ask again.
func elsewhere(err error) error {
	switch {
	case errors.Is(err, engine.ErrElsewhere):
		return domain.Conflict("posted-elsewhere", "Another process projects the read models. Send the request to that one: its /v1/projections shows \"posting\": true.")
	case errors.Is(err, engine.ErrNotNow):
		return domain.Conflict("not-posted", "The read models cannot be projected at the moment; /v1/projections shows why. Daybook keeps retrying: try again in a moment.")
	}
	return err
}

// Verify verifies the desk, once for all who ask while it does. It ends with the server.
func (o *operator) Verify(ctx context.Context) (api.Verification, error) {
	verified := o.verifying.DoChan("", func() (any, error) {
		o.atWork.Add(1) // others are at work as long as the desk is served
		defer o.atWork.Done()
		v, err := o.parts.verify(o.stopping, verifyOptions{})
		o.verified.tell(v, err)
		return v, err
	})
	select {
	case done := <-verified:
		v, _ := done.Val.(api.Verification)
		return v, done.Err
	case <-ctx.Done():
		return api.Verification{}, ctx.Err()
	}
}

// verifyDaily verifies the desk each day at a time of day, until the context ends.
func (o *operator) verifyDaily(ctx context.Context, at timeOfDay) {
	for {
		next := time.NewTimer(time.Until(at.next(time.Now())))
		select {
		case <-next.C:
		case <-ctx.Done():
			next.Stop()
			return
		}
		v, err := o.Verify(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			o.log.Error("the daily verification failed", "error", err)
		case v.Verdict != api.AllWell:
			o.log.Error("the daily verification found faults: run daybook verify", "verdict", v.Verdict, "damage", len(v.Damage), "index", len(v.Index), "differences", v.Found)
		default:
			o.log.Info("the daily verification found nothing wrong", "events", v.Events, "rows", v.Rows)
		}
	}
}

// Retry projects again the streams that a projection has parked.
func (o *operator) Retry(ctx context.Context, projection string) error {
	for _, p := range projections.All {
		if p.Name == projection {
			return elsewhere(o.parts.engine.Retry(ctx, projection))
		}
	}
	return domain.NotFound("projection-unknown", "There is no such projection. GET /v1/projections lists them.")
}

// parkedError names the first streams that are parked.
func (o *operator) parkedError(ctx context.Context) error {
	byProjection, err := o.parked(ctx)
	if err != nil {
		return err
	}
	var streams []string
	for _, some := range byProjection {
		streams = append(streams, some...)
	}
	slices.Sort(streams)
	streams = slices.Compact(streams)
	named := strings.Join(streams[:min(len(streams), 5)], ", ")
	if len(streams) > 5 {
		named += ", …"
	}
	return fmt.Errorf("%d streams are parked (%s): GET /v1/projections lists them", len(streams), named)
}

// Ready returns an error that says why the desk cannot serve, or nil, and what to look at although it can.
func (o *operator) Ready(ctx context.Context) (warnings []string, err error) {
	if o.stopping.Err() != nil {
		return nil, &api.Unready{Word: api.Stopping, Err: errors.New("the server is stopping")}
	}
	all, err := o.status(ctx)
	if err != nil {
		return nil, &api.Unready{Word: api.LogAway, Err: err}
	}
	parked := 0
	for _, s := range all {
		switch s.State {
		case engine.Stopped, engine.Fenced, engine.Building, engine.Retrying:
			no := &api.Unready{Word: api.NotReady, Err: fmt.Errorf("the read models are not being projected yet (%s)", s.State)}
			if s.Err != nil {
				no.Err = fmt.Errorf("the read models are not being projected (%s): %w", s.State, s.Err)
			} else if s.State == engine.Building {
				no.Word = api.Building
			}
			return nil, no
		}
		parked += s.Parked
	}
	if parked > 0 {
		return nil, &api.Unready{Word: api.Parked, Err: o.parkedError(ctx)}
	}
	for _, s := range all[:1] { // they move together
		if s.Nobody {
			warnings = append(warnings, "No process projects the read models: they stay as they are. Start one with daybook serve, or serve --only projections.")
		}
		if s.Unshown != nil {
			warnings = append(warnings, fmt.Sprintf("Dashboards do not see the newest rows: %v", s.Unshown))
		}
	}
	if o.parts.restored != nil {
		warnings = append(warnings, o.parts.restored.says)
	}
	ahead, err := o.ahead(ctx)
	if err != nil {
		return nil, &api.Unready{Word: api.LogAway, Err: err}
	}
	if ahead >= time.Second { // less is a difference between two machines
		warnings = append(warnings, fmt.Sprintf("The log is %.0f seconds ahead of the clock: either the clock was wrong and has been set back, or it is wrong now. Until it catches up, events are recorded at the time of the last one.", ahead.Seconds()))
	}
	return warnings, nil
}
