// Bench measures Daybook against references in the same run, because machines are shared and noisy: the ratio counts, not the rate.
//
//	go run ./bench                  all measures except those of long logs, into bench/results
//	go run ./bench -only P1,P2      some of them
//
// Measures with PostgreSQL use the server in DAYBOOK_BENCH_POSTGRES, the address of a database whose user may create databases, or a
// server that is started for them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

// A measure is a row of the table. To add one, add it to measures.
type measure struct {
	id, title, reference string
	must, aim            float64 // for the ratio of ours to the reference's, or for ours if there is no reference
	times                bool    // the sides are times, and less is better; otherwise they are rates
	unit                 string  // there is no reference, ours is in this unit, and less is better
	postgres             bool    // it needs a PostgreSQL database
	full                 bool    // it takes long, and runs only if it is named
	start                func(setting) (rounds, error)
}

// measures are all measures, in the order in which they run.
var measures []measure

func init() {
	measures = slices.Concat(appends, served[:4], rebuilds, served[4:], listed, reports, imports, programs, long)
}

// A setting is what a measure works with.
type setting struct {
	dir     string        // empty, for this measure only, on a disk
	time    time.Duration // how long each side of a round runs
	events  int           // in the log that is rebuilt
	history int           // events of the desk that the program starts with and rebuilds, and lines that it imports
	long    int           // events in the long log
	tickets int           // among which a contact's are searched, and that are listed

	contacts int // that are listed

	callers int // who send requests; 0: many

	vault    string // the address of a database for the vault; empty: in a file
	postgres string // the address of a database for the measures, for those that need one

	program func() (path string, err error) // builds cmd/daybook the first time
}

// Rounds are the two sides of a measure, ready to run alternately. Each returns its rate per second, or its time in seconds. A measure
// with a unit has only ours, and returns a number of that unit.
type rounds struct {
	ours, reference func() (float64, error)
	stop            func() error // nil: nothing
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "measures to run, such as P1,P2 (default: all but P11 and P11r)")
	n := flags.Int("rounds", 9, "rounds of each measure; with fewer than five the median means little")
	length := flags.Duration("time", time.Second, "length of each side of a round")
	events := flags.Int("events", 200_000, "events in the log that P6, P7 and P15 rebuild")
	history := flags.Int("history", 1_000_000, "events in P12 and P13, and lines in P13i")
	long := flags.Int("long", 10_000_000, "events in P11 and P11r, which are compared with a hundredth")
	tickets := flags.Int("tickets", 1_000_000, "tickets in P9, P10 and P16")
	contacts := flags.Int("contacts", 1_000_000, "contacts in P16")
	dir := flags.String("dir", "", "directory for the measured files, on a disk and not in memory (default: a temporary directory)")
	results := flags.String("results", "bench/results", "directory for the results; the results of measures that do not run are kept")
	profile := flags.String("cpuprofile", "", "file for a CPU profile of the whole run, for go tool pprof")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(*dir, "daybook-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	var db database
	if ids := inPostgres(chosen); len(ids) > 0 {
		if db, err = openDatabase(work); err != nil {
			return fmt.Errorf("no PostgreSQL server for %s: %w; name one in %s, or choose other measures with -only", strings.Join(ids, " and "), err, serverVariable)
		}
		defer func() { err = errors.Join(err, db.remove()) }()
	}
	where, err := describe(work, db)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, where)
	program := sync.OnceValues(func() (string, error) { return buildProgram(work) })
	var found []result
	for _, m := range chosen {
		s := setting{
			dir: filepath.Join(work, m.id), time: *length, events: *events, history: *history, long: *long, tickets: *tickets, contacts: *contacts,
			postgres: db.url, program: program,
		}
		r, err := m.run(ctx, s, *n, out)
		if err != nil {
			return fmt.Errorf("%s: %w", m.id, err)
		}
		found = append(found, r)
	}
	fmt.Fprintln(out)
	writeTable(out, found)
	return leave(*results, where, found)
}

// choose selects measures by their ids.
func choose(only string) ([]measure, error) {
	if only == "" {
		return slices.DeleteFunc(slices.Clone(measures), func(m measure) bool { return m.full }), nil
	}
	var chosen []measure
	for id := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(measures, func(m measure) bool { return m.id == strings.TrimSpace(id) })
		if i < 0 {
			return nil, fmt.Errorf("there is no measure %q", id)
		}
		chosen = append(chosen, measures[i])
	}
	return chosen, nil
}

// inPostgres returns the ids of the measures that need PostgreSQL.
func inPostgres(chosen []measure) (ids []string) {
	for _, m := range chosen {
		if m.postgres {
			ids = append(ids, m.id)
		}
	}
	return ids
}

// run runs the two sides alternately.
func (m measure) run(ctx context.Context, s setting, n int, out io.Writer) (r result, err error) {
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return r, err
	}
	defer os.RemoveAll(s.dir)
	sides, err := m.start(s)
	if err != nil {
		return r, err
	}
	if sides.stop != nil {
		defer func() { err = errors.Join(err, sides.stop()) }()
	}
	r = result{ID: m.id, Must: m.must, Aim: m.aim, Unit: m.unit, Lower: m.times || m.unit != ""}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		ours, err := sides.ours()
		if err != nil {
			return r, err
		}
		if sides.reference == nil {
			r.Rounds = append(r.Rounds, round{Ours: ours, Ratio: ours})
			fmt.Fprintf(out, "%s round %d: %s\n", m.id, i+1, m.quantity(ours))
			continue
		}
		reference, err := sides.reference()
		if err != nil {
			return r, err
		}
		r.Rounds = append(r.Rounds, round{Ours: ours, Reference: reference, Ratio: ours / reference})
		fmt.Fprintf(out, "%s round %d: %s to %s = %s\n", m.id, i+1, m.quantity(ours), m.quantity(reference), figure(ours/reference, ""))
	}
	r.Value = median(r.Rounds, func(r round) float64 { return r.Ratio })
	return r, nil
}
