package vault

import (
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
	"daybook/domain/role"
)

// An APIKey lets a program act, as itself or as an agent. Its secret is shown once and not stored.
type APIKey struct {
	ID        string    `json:"id" db:"id"`
	Name      string    `json:"name" db:"name"`
	Role      role.Role `json:"role" db:"role"`
	Agent     uuid.UUID `json:"agent,omitzero" db:"agent"` // nil: the key acts as itself
	CreatedAt string    `json:"created_at" db:"created_at"`
	RevokedAt string    `json:"revoked_at,omitempty" db:"revoked_at"`
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
	_, err = v.db.ExecContext(ctx, "INSERT INTO api_keys (id, name, role, agent, hash, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		key.ID, key.Name, key.Role, key.Agent.String(), hash[:], key.CreatedAt)
	if err != nil {
		return key, "", fmt.Errorf("storing an API key: %w", err)
	}
	return key, tokenPrefix + key.ID + "_" + secret, nil
}

// APIKeys lists all keys, newest first.
func (v *Vault) APIKeys(ctx context.Context) ([]APIKey, error) {
	keys := []APIKey{}
	err := v.read.SelectContext(ctx, &keys, "SELECT id, name, role, agent, created_at, revoked_at FROM api_keys ORDER BY created_at DESC, id")
	return keys, err
}

// RevokeAPIKey revokes a key. Revoking again changes nothing.
func (v *Vault) RevokeAPIKey(ctx context.Context, id string, now time.Time) error {
	done, err := v.db.ExecContext(ctx, "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at = ''", now.UTC().Format(time.RFC3339), id)
	if err != nil {
		return fmt.Errorf("revoking an API key: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n > 0 {
		return err
	}
	var known bool
	if err := v.read.GetContext(ctx, &known, "SELECT count(*) > 0 FROM api_keys WHERE id = ?", id); err != nil {
		return err
	}
	if !known {
		return domain.NotFound("key-unknown", "There is no such API key.")
	}
	return nil
}

// Revoke revokes all keys that act as an agent.
func (v *Vault) Revoke(ctx context.Context, agent uuid.UUID, now time.Time) error {
	_, err := v.db.ExecContext(ctx, "UPDATE api_keys SET revoked_at = ? WHERE agent = ? AND revoked_at = ''", now.UTC().Format(time.RFC3339), agent.String())
	return err
}

// Authenticate returns the key that a token belongs to, or ErrBadKey.
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
