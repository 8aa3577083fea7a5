// Package journal is the desk as files: it plays what another desk recorded, one line a command, through the same
// commands as the API.
//
// A journal can be played in parts, again after a crash, and twice: each line is played once. Lines are played in batches.
// All lines of a batch that touch one stream are written in one append, with ids derived from the lines, and last of all a
// record of what each line came to. A batch whose record is missing is played again; what it wrote before is found there.
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
	"daybook/domain/desk"
	"daybook/domain/event"
)

// A Player plays the journals of one source. It is used by one goroutine at a time.
type Player struct {
	Desk          *work.Desk
	Source        string // keeps the names of two desks apart
	Actor         event.Actor
	Region        string           // of phone numbers without a country code; empty: none
	Strict        bool             // stop at the first line that is rejected or malformed
	RetryRejected bool             // play lines again that were rejected or malformed before
	Report        func([]Outcome)  // called after each batch is written, in the order of the lines; nil: not
	Now           func() time.Time // when the batch's record is made
	Memory        *Memory          // what other players know of the desk's sources; nil: nothing

	*played
}

// ErrStopped says that a strict player met a line that was refused.
var ErrStopped = errors.New("stopped at the first line that was refused")

// One batch is at most maxLines lines and maxBytes bytes, so that all of it fits into one append to one stream.
const (
	maxLines = 500
	maxBytes = 256 << 10
)

// MaxSource is the longest name of a source, in bytes.
const MaxSource = 100

// playing lets one batch at a time through in one process: two would only make each other begin again.
var playing sync.Mutex

// Play plays a journal, plain or gzip, to its end. A line that is refused does not stop it, unless it is strict.
func (p *Player) Play(ctx context.Context, journal io.Reader) (desk.Counts, error) {
	var counts desk.Counts
	if p.Source == "" || len(p.Source) > MaxSource {
		return counts, domain.Invalid("source", "source-malformed", "source must have 1 to %d bytes.", MaxSource)
	}
	lines, err := newReader(journal)
	if err != nil {
		return counts, err
	}
	p.recall()
	for {
		batch, err := lines.batch(maxLines, maxBytes)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return counts, fmt.Errorf("reading the journal: %w", err)
		}
		for len(batch) > 0 {
			outcomes, playErr := p.play(ctx, batch)
			if playErr == nil && len(outcomes) == 0 { // it would be so for ever
				playErr = fmt.Errorf("line %d: no line could be played: %w", batch[0].number, work.ErrWriteFirst)
			}
			for _, o := range outcomes {
				counts.Add(o.Result)
			}
			if p.Report != nil && len(outcomes) > 0 {
				p.Report(outcomes)
			}
			if playErr != nil {
				return counts, playErr
			}
			batch = batch[len(outcomes):]
		}
		if end {
			return counts, nil
		}
	}
}

// play plays a batch, or as much of it as can be written at once, and returns what its lines came to.
func (p *Player) play(ctx context.Context, batch []text) ([]Outcome, error) {
	lines := make([]line, len(batch))
	for i, t := range batch {
		lines[i] = parse(t)
	}
	var outcomes []Outcome
	var stopped bool
	playing.Lock()
	defer playing.Unlock()
	err := p.Desk.Play(ctx, func(w *work.Work) (func(), error) {
		outcomes, stopped = nil, false
		if err := p.refresh(ctx); err != nil {
			return nil, err
		}
		w.Batch(p.requests(lines))
		inBatch := make(map[string]desk.Result)
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

// one plays one line. A line that is refused leaves nothing behind.
func (p *Player) one(w *work.Work, l line, inBatch map[string]desk.Result) (Outcome, error) {
	o := Outcome{Line: l.number, ID: l.ID, Text: l.text}
	before, again := inBatch[l.ID]
	if !again {
		before, again = p.playedBefore(l)
	}
	if again {
		o.Result, o.Before = desk.Duplicate, before
		return o, nil
	}
	w.Turn(p.request(l.ID))
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
		o.Result, o.Code, o.Reason = desk.Rejected, no.Code, no.Message
	case err != nil:
		w.Rollback(mark)
		return o, err
	case changed:
		o.Result = desk.Accepted
	default:
		o.Result = desk.Unchanged
	}
	if l.ID != "" {
		inBatch[l.ID] = o.Result
	}
	return o, nil
}

// playedBefore says what a line came to when it was played, unless it is to be played again.
func (p *Player) playedBefore(l line) (desk.Result, bool) {
	before, again := p.known[l.ID]
	return before, again && (!p.RetryRejected || !before.Refused())
}

// requests lists the lines that are to be played, as requests.
func (p *Player) requests(lines []line) []uuid.UUID {
	var all []uuid.UUID
	for _, l := range lines {
		if _, again := p.playedBefore(l); l.ID != "" && !again {
			all = append(all, p.request(l.ID))
		}
	}
	return all
}

// record notes what the lines of a batch came to.
func (p *Player) record(w *work.Work, outcomes []Outcome) error {
	played := desk.LinesPlayed{Source: p.Source}
	first := ""
	for _, o := range outcomes {
		if o.ID == "" {
			continue // malformed beyond recognition
		}
		played.Note(o.ID, o.Result)
		if first == "" && o.Result != desk.Duplicate {
			first = o.ID
		}
	}
	_, err := work.Run(w, desk.ImportStream, p.stream(), commands.RecordLines{LinesPlayed: played}, commands.By{
		Actor: p.Actor, At: p.Now(), Request: uuid.NewSHA1(p.request(first), fmt.Appendf(nil, "record/%d", p.read)), Through: p.through(), History: true,
	})
	return err
}

// space is what ids of a source's things are derived in.
var space = uuid.NewSHA1(uuid.NameSpaceURL, []byte("daybook:journal"))

// thing is the id of what a source calls by a name.
func (p *Player) thing(kind, ref string) uuid.UUID {
	return uuid.NewSHA1(space, []byte(p.Source+"/"+kind+"/"+ref))
}

// request is the id of a line as a request.
func (p *Player) request(id string) uuid.UUID { return p.thing("line", id) }

// stream is the id of the source's own stream.
func (p *Player) stream() uuid.UUID { return uuid.NewSHA1(space, []byte(p.Source)) }

func (p *Player) through() string { return "import:" + p.Source }
