package postgres

import (
	"context"
	"time"

	"daybook/eventstore"
)

// Put writes an event past the writer, as a failover may leave it.
func (s *Store) Put(ctx context.Context, e eventstore.Recorded) error {
	_, err := s.db.ExecContext(ctx, "INSERT INTO events VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		int64(e.Position), e.Stream, int64(e.Revision), e.ID, e.Type, e.Data, e.Meta, e.RecordedAt, s.checksum(e)^given(e))
	return err
}

// Silence sets how long a server may take to answer, until restored.
func Silence(d time.Duration) (restore func()) {
	before := answerWithin
	answerWithin = d
	return func() { answerWithin = before }
}
