package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"daybook/api"
	"daybook/commands/work"
	"daybook/domain/personal"
	"daybook/eventstore"
	"daybook/internal/snapshot"
	"daybook/projections/engine"
	"daybook/readmodels/table"
)

// verifyCommand checks the log, and compares its index and the read models with it.
type verifyCommand struct {
	folder
	remote
	Quick  bool   `help:"Look only at the end of the log and at how far the read models are."`
	Output string `short:"o" help:"Output format: text or json." enum:"text,json" default:"text"`
}

// Run also works while another process serves the desk. If something is wrong, the exit status is 5.
func (c *verifyCommand) Run(ctx context.Context, t terminal) (err error) {
	var v api.Verification
	switch {
	case c.URL != "" && c.Quick:
		return status{wrongUsage, errors.New("--quick is for a desk in the data folder: leave out --url")}
	case c.URL != "":
		err = c.call(ctx, c.folder, http.MethodPost, "/v1/projections/verify", nil, &v)
	default:
		bar := progress(t.talk, 1, "verifying")
		v, err = c.verify(ctx, verifyOptions{quick: c.Quick, progress: func(step string, done, total int64) {
			bar.ChangeMax64(max(total, 1))
			bar.Describe(step)
			bar.Set64(done)
		}})
		bar.Finish()
	}
	if err != nil {
		return err
	}
	if c.Output == "json" {
		err = json.NewEncoder(t.out).Encode(v)
	} else {
		for _, lines := range [][]string{v.Damage, v.Index, v.Differences} {
			for _, line := range lines {
				fmt.Fprintln(t.out, line)
			}
		}
		switch {
		case c.Quick:
			_, err = fmt.Fprintf(t.out, "The end of the log is as it was written, and it has what the read models have, up to position %s.\n", v.Position)
		case v.Verdict == api.AllWell:
			_, err = fmt.Fprintf(t.out, "All is well: %d events, %d rows, 0 differences at position %s\n", v.Events, v.Rows, v.Position)
		default:
			_, err = fmt.Fprintf(t.out, "%d events, %d rows, %d differences at position %s\n", v.Events, v.Rows, v.Found, v.Position)
		}
	}
	if err != nil {
		return err
	}
	return asFound(v)
}

// asFound returns what a verification found as an error that says what to do.
func asFound(v api.Verification) error {
	var says string
	switch v.Verdict {
	case api.LogDamaged:
		says = "the log is damaged: restore it from a backup. A rebuild would take the damage for truth"
	case api.KeysMissing:
		says = "the vault lacks keys that the log needs: put back the vault that belongs to this log, or a newer one"
	case api.ReadModelsDiffer:
		says = "the read models differ from the log; run daybook rebuild to repair them"
	case api.IndexWrong:
		says = "the index of the log is wrong"
	case api.AllWell:
		if v.Stopped == "" {
			return nil
		}
		says = fmt.Sprintf("the read models end at position %s: %s", v.Position, v.Stopped)
	}
	return status{notAsItIs, errors.New(says)}
}

func (c *verifyCommand) verify(ctx context.Context, o verifyOptions) (v api.Verification, err error) {
	d, err := readDesk(ctx, c.folder)
	if damage, is := errors.AsType[*eventstore.DamageError](err); is {
		return api.Verification{Verdict: api.LogDamaged, Damage: []string{damage.Error()}, Index: []string{}, Differences: []string{}, Position: eventstore.Start.String()}, nil
	}
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	db, err := d.source.OpenLive(ctx, d.home)
	if table.IsDamage(err) {
		return api.Verification{Verdict: api.ReadModelsDiffer, Damage: []string{}, Index: []string{}, Differences: []string{err.Error()}, Found: 1, Position: eventstore.Start.String()}, nil
	}
	if err != nil {
		return v, err
	}
	if db == nil {
		return v, status{notFound, fmt.Errorf("the desk in %s has no read models of this version with days in %s (--zone) yet: run daybook serve or daybook rebuild first", c.Data, c.Zone)}
	}
	head, err := d.store.Head(ctx)
	if err != nil {
		return v, errors.Join(err, db.Close())
	}
	d.live.Switch(db, head)
	return d.verify(ctx, o)
}

// verifyOptions are how a desk is verified.
type verifyOptions struct {
	quick    bool
	progress func(step string, done, total int64)
}

// maxListed is how many faults of a kind are listed.
const maxListed = 1000

// verify checks the whole log, and compares its index and the live read models with it.
func (d *parts) verify(ctx context.Context, o verifyOptions) (api.Verification, error) {
	v := api.Verification{Verdict: api.AllWell, Damage: []string{}, Index: []string{}, Differences: []string{}, Position: eventstore.Start.String(), Same: true}
	if err := d.checkLog(ctx, o, &v); err != nil {
		return v, err
	}
	if len(v.Damage) > 0 { // what the read models are compared with is not what was written
		v.Verdict = api.LogDamaged
		return v, nil
	}
	lacksKeys, err := d.compare(ctx, o, &v)
	switch {
	case err != nil:
	case lacksKeys:
		v.Verdict = api.KeysMissing
	case len(v.Damage) > 0:
		v.Verdict = api.LogDamaged
	case !v.Same:
		v.Verdict = api.ReadModelsDiffer
	case len(v.Index) > 0:
		v.Verdict = api.IndexWrong
	}
	return v, err
}

// checkLog proves the log and its index, if the store can.
func (d *parts) checkLog(ctx context.Context, o verifyOptions, v *api.Verification) (err error) {
	checker, can := d.store.(eventstore.Checker)
	if !can || o.quick {
		return nil
	}
	v.Events, err = checker.Check(ctx, func(found error) {
		to := &v.Damage
		if _, index := errors.AsType[*eventstore.IndexError](found); index {
			to = &v.Index
		}
		if len(*to) < maxListed {
			*to = append(*to, found.Error())
		}
	}, func(done, total int64) { o.tell("reading the log", done, total) })
	return err
}

// compare compares the live read models with the log. It reports whether the vault lacks keys.
func (d *parts) compare(ctx context.Context, o verifyOptions, v *api.Verification) (lacksKeys bool, err error) {
	err = d.live.Read(func(db *table.DB) error {
		compared, err := d.source.Verify(ctx, db, engine.VerifyOptions{
			Quick:    o.quick,
			Progress: func(done, total int64) { o.tell("comparing the read models", done, total) },
			Report: func(d engine.Difference) error {
				if len(v.Differences) < maxListed {
					v.Differences = append(v.Differences, d.String())
				}
				return nil
			},
		})
		v.Position, v.Events, v.Rows, v.Found, v.Same = compared.Position.String(), max(v.Events, compared.Events), compared.Rows, compared.Differences, compared.Differences == 0
		for _, unreadable := range compared.Unreadable {
			_, noKey := errors.AsType[*personal.NoKeyError](unreadable)
			lacksKeys = lacksKeys || noKey
			v.Damage = append(v.Damage, unreadable.Error())
		}
		if compared.Newer != nil {
			v.Stopped = compared.Newer.Error()
		}
		return err
	})
	if err == nil && !o.quick && len(v.Damage) == 0 {
		err = d.proveSnapshots(ctx, o, v)
	}
	return lacksKeys, err
}

// proveSnapshots compares the snapshots of long streams with the log.
func (d *parts) proveSnapshots(ctx context.Context, o verifyOptions, v *api.Verification) error {
	o.tell("comparing the snapshots", 0, 1)
	provers := map[string]snapshot.Prover{work.StatePart: d.commands.ProveSnapshot, engine.RowPart: d.rows.ProveSnapshot}
	n, err := d.snaps.Verify(ctx, provers, func(stream, part string) {
		if v.Found, v.Same = v.Found+1, false; len(v.Differences) < maxListed {
			v.Differences = append(v.Differences, fmt.Sprintf("snapshots %s: the %s differs", stream, part))
		}
	})
	v.Rows += n
	return err
}

func (o verifyOptions) tell(step string, done, total int64) {
	if o.progress != nil {
		o.progress(step, done, total)
	}
}

// A timeOfDay is a time of day by the machine's clock.
type timeOfDay struct{ hour, minute int }

// UnmarshalText parses HH:MM.
func (t *timeOfDay) UnmarshalText(text []byte) error {
	at, err := time.Parse("15:04", string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time of day: write it as 03:00", text)
	}
	t.hour, t.minute = at.Hour(), at.Minute()
	return nil
}

// next returns the first instant after now with this time of day.
func (t timeOfDay) next(now time.Time) time.Time {
	at := time.Date(now.Year(), now.Month(), now.Day(), t.hour, t.minute, 0, 0, now.Location())
	if !at.After(now) {
		at = time.Date(now.Year(), now.Month(), now.Day()+1, t.hour, t.minute, 0, 0, now.Location())
	}
	return at
}

// verifyMetrics are those of the last verification of this process.
type verifyMetrics struct {
	at     prometheus.Gauge
	faults *prometheus.GaugeVec
}

func newVerifyMetrics() verifyMetrics {
	return verifyMetrics{
		at: prometheus.NewGauge(prometheus.GaugeOpts{Name: "daybook_verified_timestamp_seconds", Help: "When this process last verified the desk, in seconds since 1970; 0 if never."}),
		faults: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "daybook_verify_faults", Help: "Number of faults that the last verification listed, by kind: damage of the log, index, differences of the read models, failed.",
		}, []string{"kind"}),
	}
}

// tell sets the metrics.
func (m verifyMetrics) tell(v api.Verification, err error) {
	failed := 0.0
	if err != nil {
		failed = 1
	} else {
		m.at.SetToCurrentTime()
		m.faults.WithLabelValues("damage").Set(float64(len(v.Damage)))
		m.faults.WithLabelValues("index").Set(float64(len(v.Index)))
		m.faults.WithLabelValues("differences").Set(float64(v.Found))
	}
	m.faults.WithLabelValues("failed").Set(failed)
}
