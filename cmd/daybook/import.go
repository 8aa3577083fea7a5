package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
	"daybook/journal"
)

// importCommand imports journals.
type importCommand struct {
	folder
	remote
	Files         []string `arg:"" name:"file" help:"Journals to import, plain or gzip." type:"existingfile"`
	Source        string   `help:"Name of the desk that the journal comes from. The same names in journals of two sources are different things." default:"journal"`
	Region        region   `help:"Country (ISO 3166) of phone numbers without a country code. If not set, such numbers are rejected." env:"DAYBOOK_REGION" placeholder:"IT"`
	Strict        bool     `help:"Stop at the first line that is rejected or malformed."`
	RetryRejected bool     `help:"Import lines again that were rejected or malformed before."`
	Output        string   `short:"o" help:"Output format of the summary: text or json." enum:"text,json" default:"text"`
}

// Run imports each file. It writes refused lines to a file beside it.
func (c *importCommand) Run(ctx context.Context, t terminal) (err error) {
	for _, file := range c.Files {
		if err := sniff(file); err != nil {
			return err
		}
	}
	if c.URL != "" {
		return c.send(ctx, t)
	}
	spareMemory()
	d, err := openDesk(ctx, c.folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if _, err := d.begin(ctx); err != nil {
		return err
	}
	var total desk.Counts
	for _, file := range c.Files {
		counts, err := c.play(ctx, d, t, file)
		total = total.Plus(counts)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", file, err), c.say(t, total))
		}
	}
	d.commands.Forget()
	debug.FreeOSMemory() // what was remembered for the import
	if err := d.catchUp(ctx); err != nil {
		return err
	}
	if err := c.say(t, total); err != nil {
		return err
	}
	return c.refusedSome(total)
}

// sniff returns an error if a file is not a journal.
func sniff(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := journal.Sniff(file); err != nil {
		return status{wrongUsage, fmt.Errorf("%s: %w", path, err)}
	}
	return nil
}

// refusedSome returns an error that says where the refused lines are, if there are any.
func (c *importCommand) refusedSome(counts desk.Counts) error {
	if counts.Rejected+counts.Malformed == 0 {
		return nil
	}
	var there []string
	for _, file := range c.Files {
		if _, err := os.Stat(file + rejectedEnding); err == nil {
			there = append(there, file+rejectedEnding)
		}
	}
	return status{someRejected, fmt.Errorf("%d lines were refused: see %s for the reasons", counts.Rejected+counts.Malformed, strings.Join(there, ", "))}
}

func (c *importCommand) say(t terminal, counts desk.Counts) error {
	if c.Output == "json" {
		return json.NewEncoder(t.out).Encode(counts)
	}
	_, err := fmt.Fprintf(t.out, "%d lines: %d accepted, %d unchanged, %d duplicate, %d rejected, %d malformed\n",
		counts.Lines, counts.Accepted, counts.Unchanged, counts.Duplicate, counts.Rejected, counts.Malformed)
	return err
}

// play imports one file.
func (c *importCommand) play(ctx context.Context, d *parts, t terminal, path string) (counts desk.Counts, err error) {
	lines, err := countLines(path)
	if err != nil {
		return counts, err
	}
	file, err := os.Open(path)
	if err != nil {
		return counts, err
	}
	defer file.Close()
	refused := refusedOf(path)
	defer func() { err = errors.Join(err, refused.close(err == nil)) }()
	bar := progress(t.talk, lines, path)
	defer bar.Finish()
	player := &journal.Player{
		Desk: d.commands, Source: c.Source, Actor: event.TheSystem, Principal: event.TheCommandLine, Allowed: role.Owner.Permissions(), Region: string(c.Region), Strict: c.Strict, RetryRejected: c.RetryRejected, Now: time.Now,
		Report: func(outcomes []journal.Outcome) {
			bar.Add(len(outcomes))
			refused.write(outcomes)
		},
	}
	return player.Play(ctx, file)
}

// progress returns a progress bar with lines done, lines per second and time left. It is hidden unless w is a terminal.
func progress(w io.Writer, total int, what string) *progressbar.ProgressBar {
	file, ok := w.(*os.File)
	visible := ok && term.IsTerminal(int(file.Fd()))
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(visible), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("lines"), progressbar.OptionClearOnFinish())
}

func countLines(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return journal.CountLines(file)
}

// rejectedEnding is the ending of the name of the file of refused lines.
const rejectedEnding = ".rejected.ndjson"

// refused is the file of refused lines, each with its text, its number and the reason. Each run writes it anew: it lists what
// is refused now.
type refused struct {
	path string
	file *os.File // nil: no line was refused yet
	err  error
}

// refusedLine is a line of that file.
type refusedLine struct {
	journal.Outcome
	Text string `json:"text"`
}

// refusedOf returns the file of refused lines of a journal.
func refusedOf(path string) *refused { return &refused{path: path + rejectedEnding} }

// write adds the refused lines.
func (r *refused) write(outcomes []journal.Outcome) {
	for _, o := range outcomes {
		if !o.Result.Refused() || r.err != nil {
			continue
		}
		if r.file == nil {
			r.file, r.err = os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		}
		if r.err == nil {
			r.err = json.NewEncoder(r.file).Encode(refusedLine{o, o.Text})
		}
	}
}

// close closes the file. The one of an earlier run is removed if this run went through and refused nothing.
func (r *refused) close(through bool) error {
	switch {
	case r.file != nil:
		return errors.Join(r.err, r.file.Close())
	case through && r.err == nil:
		if err := os.Remove(r.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return r.err
}
