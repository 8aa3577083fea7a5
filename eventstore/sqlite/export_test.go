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

// MendAtOnce has an index that could not be made anew tried again at once, until restored.
func MendAtOnce() (restore func()) {
	before := mendAgain
	mendAgain = 0
	return func() { mendAgain = before }
}

// SetMaxIndexPages does the same for the index.
func (s *Store) SetMaxIndexPages(n int) error {
	c, err := s.indexing.get(context.Background())
	if err != nil {
		return err
	}
	defer s.indexing.put(c)
	return c.run(fmt.Sprintf("PRAGMA lookup.max_page_count = %d", n))
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
