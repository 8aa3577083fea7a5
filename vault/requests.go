package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"daybook/domain"
)

// An Outcome is what a request with an idempotency key came to. The answer itself is not kept: it is made again from the
// thing as it was at the revision.
type Outcome struct {
	Stream   string        `json:"stream,omitempty"`
	Revision int64         `json:"revision,omitempty"`
	Position uint64        `json:"position,omitempty"`
	Created  bool          `json:"created,omitempty"`
	Refusal  *domain.Error `json:"refusal,omitempty"`
}

// KeepRequests is how long an idempotency key is known, at least.
const KeepRequests = 7 * 24 * time.Hour

// ErrKeyReused says that an idempotency key came with another request before.
var ErrKeyReused = errors.New("the idempotency key was used before with another request")

// BeginRequest notes that a request begins, and returns what it came to if it ended before: nil if it did not, which may
// be because it is under way or because its process died. It returns ErrKeyReused for another request of the same key.
func (v *Vault) BeginRequest(ctx context.Context, principal, key, digest string, now time.Time) (*Outcome, error) {
	var begun struct {
		Digest  string `db:"digest"`
		Outcome string `db:"outcome"`
	}
	err := v.db.GetContext(ctx, &begun, `INSERT INTO requests (principal, key, digest, begun_at) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET digest = digest RETURNING digest, outcome`, principal, key, digest, now.Unix())
	switch {
	case err != nil:
		return nil, fmt.Errorf("noting a request: %w", err)
	case begun.Digest != digest:
		return nil, ErrKeyReused
	case begun.Outcome == "":
		return nil, nil
	}
	var o Outcome
	if err := json.Unmarshal([]byte(begun.Outcome), &o); err != nil {
		return nil, fmt.Errorf("reading what a request came to: %w", err)
	}
	return &o, nil
}

// FinishRequest notes what a request came to. Where the same one came twice at a time, a refusal does not replace what took effect.
func (v *Vault) FinishRequest(ctx context.Context, principal, key string, o Outcome) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	const note = "UPDATE requests SET outcome = ? WHERE principal = ? AND key = ? AND (outcome = '' OR ?)"
	if _, err := v.db.ExecContext(ctx, note, string(text), principal, key, o.Refusal == nil); err != nil {
		return fmt.Errorf("noting what a request came to: %w", err)
	}
	return nil
}

// DropRequests forgets the idempotency keys that are older than KeepRequests.
func (v *Vault) DropRequests(ctx context.Context, now time.Time) error {
	_, err := v.db.ExecContext(ctx, "DELETE FROM requests WHERE begun_at < ?", now.Add(-KeepRequests).Unix())
	return err
}
