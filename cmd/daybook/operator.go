package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"daybook/access"
	"daybook/api"
	"daybook/domain"
	"daybook/projections"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// operator keeps the read models while the desk serves.
type operator struct {
	parts    *parts
	door     *access.Door
	log      *slog.Logger
	posting  context.Context
	stopping context.Context // ends when the server is asked to stop
	atWork   sync.WaitGroup  // what must end before the desk is closed
}

// post runs the engine. What stops it is logged and shows in /readyz: the commands go on.
func (o *operator) post(ctx context.Context) {
	failing := func(err error) { o.log.Warn("posting the read models is tried again", "error", err) }
	if err := o.parts.engine.Run(ctx, engine.RunOptions{Patient: true, Failing: failing}); err != nil && ctx.Err() == nil {
		o.log.Error("the read models are no longer posted", "error", err)
	}
}

// follow runs the engine where another process posts.
func (o *operator) follow(ctx context.Context) {
	if err := o.parts.engine.Follow(ctx); err != nil && ctx.Err() == nil {
		o.log.Error("the read models are no longer followed", "error", err)
	}
}

// tidy forgets old idempotency keys, now and once a day.
func (o *operator) tidy(ctx context.Context) {
	daily := time.NewTicker(24 * time.Hour)
	defer daily.Stop()
	for {
		if err := o.parts.vault.DropRequests(ctx, time.Now()); err != nil && ctx.Err() == nil {
			o.log.Error("forgetting old idempotency keys", "error", err)
		}
		select {
		case <-daily.C:
		case <-ctx.Done():
			return
		}
	}
}

// resume goes on with operations whose process died, as soon as nothing came of them for a lease.
func (o *operator) resume(ctx context.Context) {
	again := time.NewTicker(cmp.Or(o.door.Lease, time.Minute))
	defer again.Stop()
	for {
		if err := o.door.Resume(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, table.ErrNotReady) {
			o.log.Error("going on with operations that were cut short", "error", err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// statusWithin is how long it may take to say how the projections are: a log that is away would be waited for.
const statusWithin = 5 * time.Second

func (o *operator) status(ctx context.Context) ([]engine.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusWithin)
	defer cancel()
	return o.parts.engine.Status(ctx)
}

// Status says how each projection is.
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

// parked lists the streams that each projection no longer follows.
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

// Rebuild begins a rebuild; how it goes is logged.
func (o *operator) Rebuild(context.Context) error {
	began := make(chan error, 1)
	o.atWork.Go(func() {
		err := o.parts.engine.Rebuild(o.posting, engine.RebuildOptions{})
		began <- err
		if err != nil && !errors.Is(err, engine.ErrRebuilding) && !errors.Is(err, engine.ErrElsewhere) {
			o.log.Error("rebuilding the read models failed", "error", err)
		}
	})
	select {
	case err := <-began:
		if errors.Is(err, engine.ErrRebuilding) {
			return domain.Conflict("rebuilding", "The read models are being rebuilt already.")
		}
		return elsewhere(err)
	case <-time.After(100 * time.Millisecond): // it would have said so by now
		return nil
	}
}

// elsewhere says where to ask, or that now is not the time.
func elsewhere(err error) error {
	switch {
	case errors.Is(err, engine.ErrElsewhere):
		return domain.Conflict("posted-elsewhere", "Another process posts the read models. Ask that one: the one whose /v1/projections says \"posting\": true.")
	case errors.Is(err, engine.ErrNotNow):
		return domain.Conflict("not-posted", "The read models cannot be posted now, which is tried again and again: /v1/projections says why.")
	}
	return err
}

// maxDifferences is how many differences are shown; all are counted.
const maxDifferences = 1000

// Verify compares the live read models with the log.
func (o *operator) Verify(ctx context.Context) (api.Verification, error) {
	shown := api.Verification{Differences: []string{}}
	err := o.parts.live.Read(func(db *table.DB) error {
		v, err := o.parts.source.Verify(ctx, db, func(d engine.Difference) error {
			if len(shown.Differences) < maxDifferences {
				shown.Differences = append(shown.Differences, d.String())
			}
			return nil
		})
		shown.Position, shown.Events, shown.Rows, shown.Same = v.Position.String(), v.Events, v.Rows, v.Differences == 0
		return err
	})
	return shown, err
}

// Retry posts again what a projection has parked.
func (o *operator) Retry(ctx context.Context, projection string) error {
	for _, p := range projections.All {
		if p.Name == projection {
			return elsewhere(o.parts.engine.Retry(ctx, projection))
		}
	}
	return domain.NotFound("projection-unknown", "There is no such projection.")
}

// Ready returns why the desk cannot serve, or nil.
func (o *operator) Ready(ctx context.Context) error {
	if o.stopping.Err() != nil {
		return errors.New("the server is stopping")
	}
	all, err := o.status(ctx)
	if err != nil {
		return err
	}
	parked := 0
	for _, s := range all {
		switch s.State {
		case engine.Stopped, engine.Fenced, engine.Building, engine.Retrying:
			if s.Err != nil {
				return fmt.Errorf("the read models are not posted (%s): %w", s.State, s.Err)
			}
			return fmt.Errorf("the read models are not posted yet (%s)", s.State)
		}
		parked += s.Parked
	}
	if parked > 0 {
		return fmt.Errorf("%d things are parked: /v1/projections says which", parked)
	}
	return nil
}
