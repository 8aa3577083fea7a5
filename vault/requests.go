package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
)

// An Outcome is the outcome of a request with an idempotency key. The answer itself is not stored: it is made again from the stream
// as of the revision.
type Outcome struct {
	Stream   string        `json:"stream,omitempty"`
	Revision int64         `json:"revision,omitempty"`
	Position uint64        `json:"position,omitempty"`
	Created  bool          `json:"created,omitempty"`
	Refusal  *domain.Error `json:"refusal,omitempty"`
}

// KeepRequests is how long an idempotency key is remembered, at least.
const KeepRequests = 7 * 24 * time.Hour

// ErrKeyReused means that an idempotency key was used with another request before.
var ErrKeyReused = errors.New("the idempotency key was used before with another request")

// BeginRequest records that a request begins, and returns its outcome if it ended before. The outcome is nil if it did not end: it may
// be in progress, or its process may have died. It returns ErrKeyReused for another request with the same key.
func (v *Vault) BeginRequest(ctx context.Context, request uuid.UUID, digest string, now time.Time) (*Outcome, error) {
	var begun struct {
		Digest  string `db:"digest"`
		Outcome string `db:"outcome"`
	}
	err := v.db.GetContext(ctx, &begun, `INSERT INTO requests (request, digest, begun_at) VALUES (?, ?, ?)
		ON CONFLICT DO UPDATE SET digest = digest RETURNING digest, outcome`, request.String(), digest, now.Unix())
	switch {
	case err != nil:
		return nil, fmt.Errorf("recording a request: %w", err)
	case begun.Digest != digest:
		return nil, ErrKeyReused
	case begun.Outcome == "":
		return nil, nil
	}
	var o Outcome
	if err := json.Unmarshal([]byte(begun.Outcome), &o); err != nil {
		return nil, fmt.Errorf("reading the outcome of a request: %w", err)
	}
	return &o, nil
}

// FinishRequest records the outcome of a request. If two copies of it ran at the same time, a refusal does not replace a success.
func (v *Vault) FinishRequest(ctx context.Context, request uuid.UUID, o Outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	const note = "UPDATE requests SET outcome = ? WHERE request = ? AND (outcome = '' OR ?)"
	if _, err := v.db.ExecContext(ctx, note, string(text), request.String(), o.Refusal == nil); err != nil {
		return fmt.Errorf("recording the outcome of a request: %w", err)
	}
	return nil
}

// DropRequests deletes the idempotency keys that are older than KeepRequests.
func (v *Vault) DropRequests(ctx context.Context, now time.Time) error {
	_, err := v.db.ExecContext(ctx, "DELETE FROM requests WHERE begun_at < ?", now.Add(-KeepRequests).Unix())
	return err
}
