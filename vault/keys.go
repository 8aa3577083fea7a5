package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"daybook/domain"
	"daybook/domain/personal"
	"daybook/domain/role"
)

// An APIKey lets a program act, as itself or as an agent. Its secret is shown once and not stored.
type APIKey struct {
	ID        string    `json:"id" db:"id"`
	Name      string    `json:"name" db:"-"`
	Role      role.Role `json:"role" db:"role"`
	Agent     uuid.UUID `json:"agent,omitzero" db:"agent"` // nil: the key acts as itself
	CreatedAt string    `json:"created_at" db:"created_at"`
	RevokedAt string    `json:"revoked_at,omitempty" db:"revoked_at"`
	Recorded  int       `json:"-" db:"recorded"` // how many of its events are in the log
}

// UUID is the key's id as an actor.
func (k APIKey) UUID() uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte("daybook:key:"+k.ID)) }

const tokenPrefix = "daybook_"

// ErrBadKey is the error for a token that is not a valid key. It does not say why.
var ErrBadKey = domain.Forbidden("key-unknown", "This API key is unknown, or was revoked.")

// NewAPIKey creates a key and returns its token, which is not stored: give it to the key's user.
func (v *Vault) NewAPIKey(ctx context.Context, name string, r role.Role, agent uuid.UUID, now time.Time) (key APIKey, token string, err error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 {
		return key, "", domain.Invalid("name", "name-required", "name must have 1 to 200 bytes.")
	}
	if !r.Known() {
		return key, "", domain.Invalid("role", "role-unknown", "role must be one of %v, not %q.", role.All, string(r))
	}
	key = APIKey{ID: hex.EncodeToString(random(6)), Name: name, Role: r, Agent: agent, CreatedAt: now.UTC().Format(time.RFC3339)}
	secret := base64.RawURLEncoding.EncodeToString(random(32))
	hash := sha256.Sum256([]byte(secret))
	sealed, err := v.sealName(ctx, key)
	if err != nil {
		return key, "", err
	}
	err = v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec("INSERT INTO api_keys (id, name, role, agent, hash, created_at) VALUES (?, ?, ?, ?, ?, ?)", key.ID, sealed, key.Role, key.Agent.String(), hash[:], key.CreatedAt)
		return err
	})
	if err != nil {
		return key, "", fmt.Errorf("storing an API key: %w", err)
	}
	return key, tokenPrefix + key.ID + "_" + secret, nil
}

// APIKeys lists all keys, newest first.
func (v *Vault) APIKeys(ctx context.Context) ([]APIKey, error) {
	return v.apiKeys(ctx, "")
}

// UnrecordedAPIKeys lists the keys of which an event is missing in the log: they were created or revoked by a process that
// could not write to it.
func (v *Vault) UnrecordedAPIKeys(ctx context.Context) ([]APIKey, error) {
	return v.apiKeys(ctx, "WHERE recorded < 1 + (revoked_at <> '')")
}

func (v *Vault) apiKeys(ctx context.Context, where string) ([]APIKey, error) {
	var rows []struct {
		APIKey
		Sealed []byte `db:"name"`
	}
	err := v.read.SelectContext(ctx, &rows, "SELECT id, name, role, agent, created_at, revoked_at, recorded FROM api_keys "+where+" ORDER BY created_at DESC, id")
	if err != nil {
		return nil, fmt.Errorf("listing API keys: %w", err)
	}
	keys := make([]APIKey, len(rows))
	for i, r := range rows {
		if r.Name, err = v.openName(r.APIKey, r.Sealed); err != nil {
			return nil, err
		}
		keys[i] = r.APIKey
	}
	return keys, nil
}

// APIKeyName returns the name of a key.
func (v *Vault) APIKeyName(ctx context.Context, k APIKey) (string, error) {
	var sealed []byte
	if err := v.read.GetContext(ctx, &sealed, "SELECT name FROM api_keys WHERE id = ?", k.ID); err != nil {
		return "", fmt.Errorf("reading the name of an API key: %w", err)
	}
	return v.openName(k, sealed)
}

// RecordedAPIKey notes how many events of a key are in the log: 1 if it was created, 2 if it was revoked too.
func (v *Vault) RecordedAPIKey(ctx context.Context, id string, events int) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec("UPDATE api_keys SET recorded = ? WHERE id = ? AND recorded < ?", events, id, events)
		return err
	})
	if err != nil {
		return fmt.Errorf("noting that an API key is in the log: %w", err)
	}
	return nil
}

// subject is whose key seals the name of an API key: the agent's who acts with it, or its own.
func (k APIKey) subject() uuid.UUID { return cmp.Or(k.Agent, k.UUID()) }

// sealName seals the name of a key, so that it goes with the agent's other texts. The agent has a key; the stream of an API key
// that acts as itself is about to begin.
func (v *Vault) sealName(ctx context.Context, k APIKey) ([]byte, error) {
	if k.Agent == uuid.Nil {
		if err := v.Make(ctx, k.subject()); err != nil {
			return nil, err
		}
	}
	key, err := v.Key(k.subject())
	if err != nil {
		return nil, fmt.Errorf("sealing the name of an API key: %w", err)
	}
	return key.Seal(nil, nil, []byte(k.Name), []byte(k.ID)), nil
}

func (v *Vault) openName(k APIKey, sealed []byte) (string, error) {
	key, err := v.Key(k.subject())
	if errors.Is(err, personal.ErrForgotten) {
		return personal.Erased, nil
	}
	if err != nil {
		return "", fmt.Errorf("opening the name of an API key: %w", err)
	}
	name, err := key.Open(nil, nil, sealed, []byte(k.ID))
	if err != nil {
		return "", fmt.Errorf("the name of API key %s is damaged", k.ID)
	}
	return string(name), nil
}

// RevokeAPIKey revokes a key. Revoking again changes nothing.
func (v *Vault) RevokeAPIKey(ctx context.Context, id string, now time.Time) error {
	var known bool
	err := v.writer.commit(ctx, func(tx tx) error {
		if _, err := tx.exec("UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at = ''", now.UTC().Format(time.RFC3339), id); err != nil {
			return err
		}
		return tx.get(&known, "SELECT count(*) > 0 FROM api_keys WHERE id = ?", id)
	})
	if err != nil {
		return fmt.Errorf("revoking an API key: %w", err)
	}
	if !known {
		return domain.NotFound("key-unknown", "There is no such API key.")
	}
	return nil
}

// Revoke revokes all keys that act as an agent, and returns those of which that is not in the log yet.
func (v *Vault) Revoke(ctx context.Context, agent uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	err := v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec("UPDATE api_keys SET revoked_at = ? WHERE agent = ? AND revoked_at = ''", now.UTC().Format(time.RFC3339), agent.String())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("revoking the API keys of an agent: %w", err)
	}
	open, err := v.UnrecordedAPIKeys(ctx)
	if err != nil {
		return nil, err
	}
	var revoked []uuid.UUID
	for _, k := range open {
		if k.Agent == agent {
			revoked = append(revoked, k.UUID())
		}
	}
	return revoked, nil
}

// Authenticate returns the key that a token belongs to, without its name, or ErrBadKey.
func (v *Vault) Authenticate(ctx context.Context, token string) (APIKey, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(token, tokenPrefix), "_")
	if !ok || !strings.HasPrefix(token, tokenPrefix) {
		return APIKey{}, ErrBadKey
	}
	var found struct {
		APIKey
		Hash []byte `db:"hash"`
	}
	err := v.apiKey.GetContext(ctx, &found, id)
	if errors.Is(err, sql.ErrNoRows) {
		return APIKey{}, ErrBadKey
	}
	if err != nil {
		return APIKey{}, fmt.Errorf("looking up an API key: %w", err)
	}
	hash := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(hash[:], found.Hash) != 1 || found.RevokedAt != "" {
		return APIKey{}, ErrBadKey
	}
	return found.APIKey, nil
}
