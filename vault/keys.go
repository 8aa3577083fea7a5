package vault

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
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

	// Altered says that the key was put into the vault or changed there by hand, or is damaged. It grants nothing.
	Altered bool `json:"altered,omitempty" db:"-"`
}

// A keyRow is a key as it is stored. mac authenticates it, under the master key: whoever can write to the vault cannot make a key.
// An older row put back is not noticed.
type keyRow struct {
	APIKey
	Sealed []byte `db:"name"`
	Hash   []byte `db:"hash"`
	MAC    []byte `db:"mac"`
}

const keyColumns = "id, name, role, agent, hash, created_at, revoked_at, recorded, mac"

func macOf(under *master, r keyRow) []byte {
	return under.mac("api_keys", []byte(r.ID), r.Sealed, []byte(r.Role), r.Agent[:], r.Hash, []byte(r.CreatedAt), []byte(r.RevokedAt), []byte(strconv.Itoa(r.Recorded)))
}

// authentic reports whether a row is as Daybook wrote it. It returns an error if that cannot be known without another master key.
func (v *Vault) authentic(r keyRow) (bool, error) {
	master, _, err := v.masters.of(r.MAC)
	return err == nil && hmac.Equal(macOf(master, r), r.MAC), err
}

// ErrAltered is the error for a key that was put into the vault or changed there by hand, or is damaged.
var ErrAltered = errors.New("it was put into the vault or changed there by hand, or is damaged, and grants nothing: daybook key revoke removes it")

// UUID is the key's id as an actor.
func (k APIKey) UUID() uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceURL, []byte("daybook:key:"+k.ID)) }

const tokenPrefix = "daybook_"

// ErrBadKey is the error for a token that is not a valid key. It does not say why.
var ErrBadKey = domain.Forbidden("key-unknown", "This API key is unknown, or was revoked.")

// NewAPIKey creates a key and returns its token, which is not stored: give it to the key's user.
func (v *Vault) NewAPIKey(ctx context.Context, name string, r role.Role, agent uuid.UUID, now time.Time) (key APIKey, token string, err error) {
	return v.newAPIKey(ctx, name, r, agent, now, false)
}

// FirstAPIKey creates the first key of a vault, of an owner. The token is empty if another process was first.
func (v *Vault) FirstAPIKey(ctx context.Context, name string, owner uuid.UUID, now time.Time) (token string, err error) {
	_, token, err = v.newAPIKey(ctx, name, role.Owner, owner, now, true)
	return token, err
}

func (v *Vault) newAPIKey(ctx context.Context, name string, r role.Role, agent uuid.UUID, now time.Time, first bool) (key APIKey, token string, err error) {
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
	row := keyRow{APIKey: key, Sealed: sealed, Hash: hash[:]}
	late := false
	err = v.writer.commit(ctx, func(tx tx) error {
		if first { // the row is the claim
			n, err := tx.exec("INSERT INTO secrets (name, value) VALUES ('first key', ?) ON CONFLICT DO NOTHING", []byte(key.ID))
			if late = err == nil && n == 0; err != nil || late {
				return err
			}
		}
		master, err := v.masters.current()
		if err != nil {
			return err
		}
		_, err = tx.exec("INSERT INTO api_keys (id, name, role, agent, hash, created_at, mac) VALUES (?, ?, ?, ?, ?, ?, ?)",
			key.ID, sealed, string(key.Role), key.Agent.String(), row.Hash, key.CreatedAt, macOf(master, row))
		return err
	})
	if err != nil {
		return key, "", failed("storing an API key", err)
	}
	if late {
		return key, "", nil
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
	return v.apiKeys(ctx, "WHERE recorded < CASE WHEN revoked_at = '' THEN 1 ELSE 2 END")
}

func (v *Vault) apiKeys(ctx context.Context, where string) ([]APIKey, error) {
	var rows []keyRow
	err := v.read.SelectContext(ctx, &rows, "SELECT "+keyColumns+" FROM api_keys "+where+" ORDER BY created_at DESC, id")
	if err != nil {
		return nil, failed("listing API keys", err)
	}
	keys := make([]APIKey, len(rows))
	for i, r := range rows {
		authentic, _ := v.authentic(r) // one that needs another master key lets nobody in either
		if r.Altered = !authentic; authentic {
			if r.Name, err = v.openName(r.APIKey, r.Sealed); err != nil {
				return nil, err
			}
		}
		keys[i] = r.APIKey
	}
	return keys, nil
}

// APIKeyName returns the name of a key.
func (v *Vault) APIKeyName(ctx context.Context, k APIKey) (string, error) {
	var sealed []byte
	if err := v.read.GetContext(ctx, &sealed, v.read.Rebind("SELECT name FROM api_keys WHERE id = ?"), k.ID); err != nil {
		return "", failed("reading the name of an API key", err)
	}
	return v.openName(k, sealed)
}

// RecordedAPIKey notes how many events of a key are in the log: 1 if it was created, 2 if it was revoked too.
func (v *Vault) RecordedAPIKey(ctx context.Context, id string, events int) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		return v.amend(tx, "id = ?", id, func(k *APIKey) { k.Recorded = max(k.Recorded, events) })
	})
	if err != nil {
		return failed("noting that an API key is in the log", err)
	}
	return nil
}

// RecordAPIKeysAgain notes that the log may lack events of keys, since an older one was restored.
func (v *Vault) RecordAPIKeysAgain(ctx context.Context) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		return v.amend(tx, "id <> ?", "", func(k *APIKey) { k.Recorded = 0 })
	})
	if err != nil {
		return failed("noting that API keys are to be recorded again", err)
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
		return "", fmt.Errorf("the name of API key %s: %w", k.ID, ErrAltered)
	}
	return string(name), nil
}

// RevokeAPIKey revokes a key, and deletes an altered one. Revoking again changes nothing.
func (v *Vault) RevokeAPIKey(ctx context.Context, id string, now time.Time) error {
	known, err := v.revoke(ctx, "id = ?", id, now)
	if err == nil && known == 0 {
		err = domain.NotFound("key-unknown", "There is no such API key.")
	}
	return err
}

// revoke revokes the keys that a condition on one column finds, and returns how many there are.
func (v *Vault) revoke(ctx context.Context, where, is string, now time.Time) (found int, err error) {
	err = v.writer.commit(ctx, func(tx tx) error {
		rows, err := v.keyRows(tx, where, is)
		if err != nil {
			return err
		}
		found = len(rows)
		for _, r := range rows {
			authentic, err := v.authentic(r)
			if err == nil && !authentic {
				_, err = tx.exec("DELETE FROM api_keys WHERE id = ? AND mac = ?", r.ID, r.MAC)
			}
			if err != nil {
				return err
			}
		}
		return v.amend(tx, where, is, func(k *APIKey) { k.RevokedAt = cmp.Or(k.RevokedAt, now.UTC().Format(time.RFC3339)) })
	})
	v.doors.forget() // also after an error: it may have been done
	if err != nil {
		return 0, failed("revoking API keys", err)
	}
	return found, nil
}

// amend changes the authentic rows that a condition on one column finds, and authenticates them anew.
func (v *Vault) amend(tx tx, where, is string, change func(*APIKey)) error {
	for again := true; again; {
		again = false
		rows, err := v.keyRows(tx, where, is)
		if err != nil {
			return err
		}
		for _, r := range rows {
			was := r
			if change(&r.APIKey); r.APIKey == was.APIKey {
				continue
			}
			authentic, err := v.authentic(was)
			if err != nil {
				return err
			}
			if !authentic {
				continue
			}
			master, err := v.masters.current()
			if err != nil {
				return err
			}
			n, err := tx.exec("UPDATE api_keys SET revoked_at = ?, recorded = ?, mac = ? WHERE id = ? AND mac = ?", r.RevokedAt, r.Recorded, macOf(master, r), r.ID, was.MAC)
			if err != nil {
				return err
			}
			again = again || n == 0 // another process has changed it at this moment
		}
	}
	return nil
}

func (v *Vault) keyRows(tx tx, where, is string) (rows []keyRow, err error) {
	return rows, tx.Select(&rows, tx.Rebind("SELECT "+keyColumns+" FROM api_keys WHERE "+where), is)
}

// Revoke revokes all keys that act as an agent, and returns those of which that is not in the log yet.
func (v *Vault) Revoke(ctx context.Context, agent uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	if _, err := v.revoke(ctx, "agent = ?", agent.String(), now); err != nil {
		return nil, err
	}
	open, err := v.UnrecordedAPIKeys(ctx)
	if err != nil {
		return nil, err
	}
	var revoked []uuid.UUID
	for _, k := range open {
		if k.Agent == agent && !k.Altered {
			revoked = append(revoked, k.UUID())
		}
	}
	return revoked, nil
}

// Authenticate returns the key that a token belongs to, without its name, or ErrBadKey. A key that another process revoked is valid
// for a second at most. An error that is both ErrBadKey and ErrAltered is not only for the caller.
func (v *Vault) Authenticate(ctx context.Context, token string) (APIKey, error) {
	id, secret, ok := strings.Cut(strings.TrimPrefix(token, tokenPrefix), "_")
	if !ok || !strings.HasPrefix(token, tokenPrefix) {
		return APIKey{}, ErrBadKey
	}
	now := time.Now()
	found, known, changes := v.doors.find(id, now)
	if !known {
		err := v.apiKey.GetContext(ctx, &found, id)
		if errors.Is(err, sql.ErrNoRows) {
			return APIKey{}, ErrBadKey
		}
		if err != nil {
			return APIKey{}, failed("looking up an API key", err)
		}
	}
	if !known { // else it is authentic
		authentic, err := v.authentic(found)
		if err != nil {
			return APIKey{}, err
		}
		if !authentic {
			return APIKey{}, fmt.Errorf("API key %s: %w (%w)", found.ID, ErrBadKey, ErrAltered)
		}
	}
	hash := sha256.Sum256([]byte(secret))
	if subtle.ConstantTimeCompare(hash[:], found.Hash) != 1 || found.RevokedAt != "" {
		return APIKey{}, ErrBadKey
	}
	if !known {
		v.doors.put(found, now, changes)
	}
	return found.APIKey, nil
}
