package desk

import (
	"github.com/google/uuid"

	"daybook/domain/event"
)

// Log is what an operator did to the desk's log and vault as such.
type Log struct {
	Restores, Losses int // how often
}

// LogID is the id of the only one.
var LogID = uuid.NewSHA1(uuid.NameSpaceURL, []byte("daybook:log"))

// LogStream is the kind of its stream.
var LogStream = event.Kind[Log, LogEvent]{
	Category: "log",
	Events:   LogEvents,
	Apply:    func(l *Log, e LogEvent) { e.apply(l) },
	Exists:   func(l Log) bool { return l.Restores+l.Losses > 0 },
	Keyless:  true,
}

// LogEvent is what happens to it.
type LogEvent interface {
	event.Event
	apply(*Log)
}

// LogEvents decodes its events.
var LogEvents = event.NewTable(ofLog[LogRestored](), ofLog[KeysLost]())

func ofLog[T LogEvent]() event.Type[LogEvent] {
	return event.TypeOf(func(e T) LogEvent { return e })
}

// LogRestored: the log was restored from a backup that is older than the vault. What came after is lost.
type LogRestored struct {
	Position uint64 `json:"position"` // where the log ended when that was noticed
	Known    uint64 `json:"known"`    // up to where the vault knew it
}

// EventType returns the stored name.
func (LogRestored) EventType() string { return "log-restored" }

func (LogRestored) apply(l *Log) { l.Restores++ }

// KeysLost: the vault lacks the keys of these people, and no other has them. What is sealed under them cannot be read any more.
type KeysLost struct {
	Subjects []uuid.UUID `json:"subjects"`
}

// EventType returns the stored name.
func (KeysLost) EventType() string { return "keys-lost" }

func (KeysLost) apply(l *Log) { l.Losses++ }
