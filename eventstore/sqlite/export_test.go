package sqlite

import (
	"context"
	"fmt"
)

// Remember bounds what stores keep in memory, of events that the index lacks and of the log's end, until restored.
func Remember(loose, tail int) (restore func()) {
	looseBefore, tailBefore := looseEvents, tailEvents
	looseEvents, tailEvents = loose, tail
	return func() { looseEvents, tailEvents = looseBefore, tailBefore }
}

// SetMaxPages makes room on the full disk, or fills it.
func (s *Store) SetMaxPages(n int) error {
	c, err := s.writing.get(context.Background())
	if err != nil {
		return err
	}
	defer s.writing.put(c)
	return c.run(fmt.Sprintf("PRAGMA max_page_count = %d", n))
}
