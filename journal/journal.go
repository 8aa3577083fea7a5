// Package journal imports what another desk recorded. A journal is a file with one command per line; it goes through the
// same commands as the API.
//
// A journal can be imported in parts, again after a crash, and twice: each line takes effect once. Lines are imported in
// batches. All lines of a batch that change one stream are written in one append, with event ids derived from the lines.
// The record of each line's outcome is written last. A batch without a record is imported again, and finds the events that
// it has already written.
package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"daybook/commands"
	"daybook/commands/work"
	"daybook/domain"
	"daybook/domain/contact"
	"daybook/domain/desk"
	"daybook/domain/event"
	"daybook/domain/role"
)

// A Player imports the journals of one source. It is not safe for concurrent use.
type Player struct {
	Desk          *work.Desk
	Source        string           // the desk that the journals come from: see event.NamesDoor; part of the ids of all its things
	Actor         event.Actor      // who imports
	Principal     event.Principal  // who imports
	Allowed       role.Permissions // what who imports may do: making an owner needs an owner
	Region        string           // the country (ISO 3166) of phone numbers without a country code; empty: none
	Strict        bool             // stop at the first line that is rejected or malformed
	RetryRejected bool             // import lines again that were rejected or malformed before
	Report        func([]Outcome)  // called after each batch is written, in the order of the lines; may be nil
	Unpacked      int64            // the largest journal in bytes, if it is packed; 0: any
	Now           func() time.Time // the clock: the time of a batch's record, which lines must not be ahead of
	MadeUp        bool             // lines may be ahead of the clock
	Memory        *Memory          // cache to share between players; nil: none

	stream uuid.UUID // the id of the source's import stream
	*played
}

// ErrStopped says that a strict Player stopped at a line that was rejected or malformed.
var ErrStopped = errors.New("stopped at the first line that was rejected or malformed")

// A batch has at most maxLines lines and maxBytes bytes, so that it always fits into one append to one stream.
const (
	maxLines = 500
	maxBytes = 256 << 10
)

// playing lets one batch at a time run in this process: two would only make each other start over.
var playing sync.Mutex

// Play imports a journal, plain or gzip. It goes on after lines that are refused, unless Strict is set: then it returns
// ErrStopped. The counts are of the lines that were imported, also if it returns an error.
func (p *Player) Play(ctx context.Context, journal io.Reader) (desk.Counts, error) {
	var counts desk.Counts
	if !event.NamesDoor(p.Source) {
		return counts, domain.Invalid("source", "source-malformed", "source must have 1 to 40 characters, each one of a-z, 0-9, dot, dash and underscore.")
	}
	lines, err := newReader(journal, p.Unpacked)
	if err != nil {
		return counts, err
	}
	p.stream = p.thing("source", "")
	p.recall()
	for {
		batch, err := lines.batch(maxLines, maxBytes)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return counts, fmt.Errorf("reading the journal: %w", err)
		}
		for len(batch) > 0 {
			outcomes, playErr := p.play(ctx, batch)
			if playErr == nil && len(outcomes) == 0 { // it would never get any further
				playErr = fmt.Errorf("line %d: the line cannot be imported: %w", batch[0].number, work.ErrWriteFirst)
			}
			for _, o := range outcomes {
				counts.Add(o.Result)
			}
			played := len(outcomes)
			clear(batch[:played]) // Report may take long
			if p.Report != nil && played > 0 {
				p.Report(outcomes)
			}
			if playErr != nil {
				return counts, playErr
			}
			batch = batch[played:]
		}
		if end {
			return counts, nil
		}
	}
}

// play imports a batch, or as many of its first lines as can be written at once, and returns their outcomes.
func (p *Player) play(ctx context.Context, batch []raw) ([]Outcome, error) {
	playing.Lock() // before the lines are parsed, which takes as much memory again
	defer playing.Unlock()
	lines, until := make([]line, len(batch)), p.Now().Add(maxAhead)
	if p.MadeUp {
		until = time.Time{}
	}
	for i, t := range batch {
		lines[i] = parse(t, until)
		if lines[i].ID != "" {
			lines[i].request = p.thing("line", lines[i].ID)
		}
	}
	var outcomes []Outcome
	var stopped bool
	err := p.Desk.Play(ctx, func(w *work.Work) (func(), error) {
		outcomes, stopped = nil, false
		if err := p.refresh(ctx); err != nil {
			return nil, err
		}
		w.Batch(p.requests(lines), p.recorded)
		if err := work.Ahead(w, p.mentioned(lines)...); err != nil {
			return nil, err
		}
		inBatch := make(map[string]Outcome)
		for _, l := range lines {
			o, err := p.one(w, l, inBatch)
			if errors.Is(err, work.ErrWriteFirst) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", l.number, err)
			}
			outcomes = append(outcomes, o)
			if stopped = p.Strict && o.Result.Refused(); stopped {
				break
			}
		}
		return nil, p.record(w, outcomes)
	})
	if err == nil && stopped {
		err = ErrStopped
	}
	return outcomes, err
}

// mentioned lists the things that the lines of a batch are about.
func (p *Player) mentioned(lines []line) []work.Thing {
	things := []work.Thing{work.On(desk.ImportStream, p.stream)}
	for _, l := range lines {
		for _, m := range l.names {
			if m.kind != anEmail {
				things = append(things, work.Called(m.kind, p.thing(m.kind, m.name)))
			} else if a, err := contact.NewAddress(p.Desk.Names, contact.Email, "", m.name, p.Region); err == nil {
				things = append(things, work.Named(a.Hold()))
			}
		}
	}
	return things
}

// one imports one line. A line that is refused leaves no changes behind.
func (p *Player) one(w *work.Work, l line, inBatch map[string]Outcome) (Outcome, error) {
	o := Outcome{Line: l.number, ID: l.ID, Text: l.text, request: l.request}
	before, again := inBatch[l.ID]
	if again && before.Result.Refused() && before.Text != l.text { // it was mended: it comes in the next batch
		return o, work.ErrWriteFirst
	}
	if !again {
		before, again = p.playedBefore(l)
	}
	switch {
	case again && before.Result.Refused():
		o.Result, o.Code, o.Reason, o.repeated = before.Result, before.Code, before.Reason, true
		return o, nil
	case again:
		o.Result, o.Before = desk.Duplicate, before.Result
		return o, nil
	}
	w.Turn(l.request)
	mark := w.Mark()
	changed, err := false, l.malformed
	if err == nil {
		changed, err = l.verb.play(&play{Player: p, work: w, line: l})
	}
	var no *domain.Error
	switch {
	case l.malformed != nil:
		o.Result, o.Code, o.Reason = desk.Malformed, "malformed", l.malformed.Error()
	case errors.As(err, &no):
		w.Rollback(mark)
		o.Result, o.Code, o.Reason, o.forbidden = desk.Rejected, no.Code, no.Error(), no.Refusal == domain.RefusedForbidden
	case err != nil:
		w.Rollback(mark)
		return o, err
	case changed:
		o.Result = desk.Accepted
	default:
		o.Result = desk.Unchanged
	}
	if l.ID != "" {
		inBatch[l.ID] = o
	}
	return o, nil
}

// playedBefore returns the outcome of a line that was imported before, unless it is to be imported again. A line that was
// refused is, if its text differs from what was refused.
func (p *Player) playedBefore(l line) (before Outcome, again bool) {
	before.Result, again = p.known[l.request]
	if !again || !before.Result.Refused() {
		return before, again
	}
	refused := p.refused[l.request]
	before.Code = refused.Code
	before.Reason = fmt.Sprintf("The line was refused before (%s). Mend it, or import with --retry-rejected to have it tried again.", refused.Code)
	if l.malformed != nil {
		before.Reason = l.malformed.Error()
	}
	return before, !p.RetryRejected && refused.Text == p.thing("text", l.text)
}

// requests returns the request ids of the lines that are to be imported.
func (p *Player) requests(lines []line) []uuid.UUID {
	var all []uuid.UUID
	for _, l := range lines {
		if _, again := p.playedBefore(l); l.ID != "" && !again {
			all = append(all, l.request)
		}
	}
	return all
}

// record writes the results of a batch's lines.
func (p *Player) record(w *work.Work, outcomes []Outcome) error {
	played := desk.LinesPlayed{Source: p.Source}
	first := uuid.Nil
	for _, o := range outcomes {
		if o.ID == "" || o.repeated {
			continue // a malformed line without an id, or one that is recorded
		}
		if o.Result.Refused() && !o.forbidden {
			played.NoteRefused(o.request, o.Result, desk.RefusedLine{Text: p.thing("text", o.Text), Code: o.Code})
		} else {
			played.Note(o.request, o.Result)
		}
		if first == uuid.Nil && o.Result != desk.Duplicate {
			first = o.request
		}
	}
	_, err := work.Run(w, desk.ImportStream, p.stream, commands.RecordLines{LinesPlayed: played}, commands.By{
		Actor: p.Actor, Principal: p.Principal, At: p.Now(), Request: uuid.NewSHA1(first, fmt.Appendf(nil, "record/%d", p.read)),
		Through: event.ThroughImport(p.Source), Correlation: p.stream.String(), History: true,
	})
	return err
}

// thing returns the id of the thing that the source calls ref. It tells nobody the ref.
func (p *Player) thing(kind, ref string) uuid.UUID {
	return p.Desk.Names.Hash("import", p.Source, kind, ref)
}
