package eventstore

import (
	"context"
	"fmt"
)

// A DamageError means that what the log holds at a place is not what was written there.
type DamageError struct {
	Position Position // Start: no single one
	Stream   string   // empty: not known
	What     string   // such as "its checksum is wrong"
}

func (e *DamageError) Error() string {
	at := ""
	if e.Position != Start {
		at = " at position " + e.Position.String()
	}
	if e.Stream != "" {
		at += " (stream " + e.Stream + ")"
	}
	return "the log is damaged" + at + ": " + e.What + "; restore it from a backup"
}

// An IndexError means that a log is whole, but its index does not say what it does.
type IndexError struct{ What string }

func (e *IndexError) Error() string {
	return "the index of the log is wrong: " + e.What
}

// A Checker can prove a whole log.
type Checker interface {
	// Check reads the whole log from the disk, not from memory, beside whoever writes to it. It calls found with a *DamageError for
	// each place that is not as it was written, and then with an *IndexError for each fault of the index, which a writer then makes
	// anew. It returns how many events it could read. progress is called now and then.
	Check(ctx context.Context, found func(error), progress func(done, total int64)) (events int64, err error)
}

// A Sequence proves that events which are read one after another are all there.
type Sequence struct {
	Dense bool // positions have no gaps
	Timed bool // no event was recorded before the one before it

	last    Recorded
	Streams map[string]Revision // their last ones
}

// Last returns the position of the last event, or Start.
func (s *Sequence) Last() Position { return s.last.Position }

// Skip is called for an event that cannot be read.
func (s *Sequence) Skip(e *DamageError) {
	s.last.Position = max(s.last.Position, e.Position)
	if e.Stream != "" && s.Streams != nil {
		s.Streams[e.Stream]++
	}
}

// Next returns what is wrong with the next event, or nil.
func (s *Sequence) Next(e Recorded) *DamageError {
	if s.Streams == nil {
		s.Streams = map[string]Revision{}
	}
	before, known := s.Streams[e.Stream]
	if !known {
		before = NoStream
	}
	last := s.last
	s.last, s.Streams[e.Stream] = e, e.Revision
	wrong := func(what string, args ...any) *DamageError {
		return &DamageError{Position: e.Position, Stream: e.Stream, What: fmt.Sprintf(what, args...)}
	}
	switch {
	case s.Dense && e.Position != last.Position+1, e.Position <= last.Position:
		return &DamageError{Position: last.Position + 1, What: "the event there is missing"}
	case e.Revision != before+1:
		return wrong("it has revision %d, and the one before it in its stream has %d", e.Revision, before)
	case s.Timed && e.RecordedAt.Before(last.RecordedAt):
		return wrong("it was recorded before the event before it")
	}
	return nil
}
