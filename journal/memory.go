package journal

import (
	"context"
	"errors"
	"maps"

	"github.com/google/uuid"

	"daybook/commands/work"
	"daybook/domain/desk"
	"daybook/eventstore"
)

// A Memory caches which lines of each source were imported, so that the next Player only reads what came since. The zero
// value is empty and ready to use.
type Memory struct{ sources map[string]*played }

// of returns what is cached for a source. While too many lines are cached, it drops other sources.
func (m *Memory) of(source string) *played {
	if m.sources == nil {
		m.sources = make(map[string]*played)
	}
	own := m.sources[source]
	if own == nil {
		own = &played{known: make(map[uuid.UUID]desk.Result), refused: make(map[uuid.UUID]desk.RefusedLine), read: eventstore.NoStream}
		m.sources[source] = own
	}
	lines := 0
	for _, p := range m.sources {
		lines += len(p.known)
	}
	for other, p := range m.sources {
		if lines <= maxRemembered {
			break
		}
		if p != own {
			lines -= len(p.known)
			delete(m.sources, other)
		}
	}
	return own
}

// played is the results of a source's lines. The mutex playing protects it.
type played struct {
	known    map[uuid.UUID]desk.Result // by the lines' requests
	refused  map[uuid.UUID]desk.RefusedLine
	read     eventstore.Revision // of the source's stream
	recorded eventstore.Position // of the same
}

// maxRemembered bounds the lines that are cached between journals.
const maxRemembered = 1_000_000

// recall loads what is cached for the source.
func (p *Player) recall() {
	playing.Lock()
	defer playing.Unlock()
	if p.Memory == nil {
		p.Memory = new(Memory)
	}
	p.played = p.Memory.of(p.Source)
}

// refresh reads from the log which lines were imported since the cache was filled.
func (p *Player) refresh(ctx context.Context) error {
	for r, err := range p.Desk.Store.Read(ctx, desk.ImportStream.Stream(p.stream), p.read+1, eventstore.Forwards, 0) {
		if errors.Is(err, eventstore.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		e, err := desk.ImportEvents.Decode(work.PlaceOf(r), r.Data, p.Desk.Keys)
		if err != nil {
			return err
		}
		if played, ok := e.(desk.LinesPlayed); ok {
			maps.Insert(p.known, played.Each())
			maps.Copy(p.refused, played.Refused)
		}
		p.read, p.recorded = r.Revision, r.Position
	}
	return nil
}
