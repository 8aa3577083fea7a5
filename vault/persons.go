package vault

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"daybook/domain/personal"
	"daybook/internal/recent"
)

// Make creates keys for the subjects that have none. They are durable when it returns.
func (v *Vault) Make(ctx context.Context, subjects ...uuid.UUID) error {
	v.mu.Lock()
	from := v.keys
	missing := slices.DeleteFunc(slices.Clone(subjects), func(s uuid.UUID) bool { _, known := from.Get(s); return known })
	v.mu.Unlock()
	if len(missing) == 0 {
		return nil
	}
	keys, made := make([][]byte, len(missing)), make([]bool, len(missing))
	for i := range missing {
		keys[i] = random(32)
	}
	err := v.writer.commit(ctx, func(tx tx) error {
		for i, s := range missing {
			wrapped, err := v.wrap(s.String(), keys[i])
			if err != nil {
				return err
			}
			n, err := tx.exec(makeKey, s.String(), wrapped)
			if err != nil {
				return err
			}
			made[i] = n == 1
		}
		return nil
	})
	if err != nil {
		return failed("creating keys", err)
	}
	for i, s := range missing {
		if !made[i] {
			continue
		}
		key, err := aead(keys[i])
		if err != nil {
			return err
		}
		v.remember(from, s, key)
	}
	return nil
}

const makeKey = "INSERT INTO persons (subject, wrapped) VALUES (?, ?) ON CONFLICT DO NOTHING"

const destroyKey = "INSERT INTO persons (subject, wrapped) VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET wrapped = excluded.wrapped"

// remember keeps an unwrapped key, unless keys were destroyed since from was current: perhaps this one.
func (v *Vault) remember(from *recent.Map[uuid.UUID, cipher.AEAD], subject uuid.UUID, key cipher.AEAD) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == from {
		from.Put(subject, key)
	}
}

// Destroy destroys the keys of subjects, for ever, with their blobs, and the key of the snapshots, which may hold their texts. When it
// returns, no process opens or seals anything under them any more: this one has dropped them, and each other one has asked since, as
// it does before it uses a key that it has remembered for a second.
func (v *Vault) Destroy(ctx context.Context, subjects ...uuid.UUID) error {
	if err := v.destroy(ctx, subjects, func(tx) error { return nil }); err != nil {
		return failed("destroying keys", err)
	}
	return v.Everywhere(ctx)
}

// Everywhere waits until what was destroyed or revoked before is so in every process: each asks within a lease.
func (v *Vault) Everywhere(ctx context.Context) error {
	select {
	case <-time.After(lease):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *Vault) destroy(ctx context.Context, subjects []uuid.UUID, also func(tx) error) error {
	subjects = slices.Clone(subjects)
	var n int
	err := v.writer.commit(ctx, func(tx tx) error {
		for _, s := range subjects {
			nothing, err := v.wrap(s.String(), nil)
			if err != nil {
				return err
			}
			if _, err := tx.exec(destroyKey, s.String(), nothing); err != nil {
				return err
			}
			if _, err := tx.exec("DELETE FROM blobs WHERE subject = ?", s.String()); err != nil {
				return err
			}
		}
		if err := also(tx); err != nil {
			return err
		}
		if err := tx.get(&n, "UPDATE destructions SET n = n + 1 RETURNING n"); err != nil {
			return err
		}
		snapshots := personal.Snapshots(n - 1).String()
		nothing, err := v.wrap(snapshots, nil)
		if err != nil {
			return err
		}
		_, err = tx.exec(destroyKey, snapshots, nothing)
		return err
	})
	if err != nil {
		return err
	}
	v.noticed(n)
	return v.backend.scrub(ctx, v.db)
}

// Key returns a subject's key.
func (v *Vault) Key(subject uuid.UUID) (cipher.AEAD, error) {
	if _, err := v.Destroyed(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	from := v.keys
	key, known := from.Get(subject)
	v.mu.Unlock()
	if !known {
		var err error
		if key, err = v.unwrapped(subject); err != nil {
			return nil, err
		}
		v.remember(from, subject, key)
	}
	if key == nil {
		return nil, personal.ErrForgotten
	}
	return key, nil
}

// Destroyed returns how often keys were destroyed: as this process knows, or as it was less than a lease ago.
func (v *Vault) Destroyed() (int, error) {
	now := time.Now()
	v.mu.Lock()
	n, fresh := v.destructions, now.Sub(v.asked) < lease
	v.mu.Unlock()
	if fresh {
		return n, nil
	}
	if err := v.read.Get(&n, "SELECT n FROM destructions"); err != nil {
		return 0, failed("asking whether keys were destroyed", err)
	}
	v.noticed(n)
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.After(v.asked) {
		v.asked = now
	}
	return v.destructions, nil
}

// noticed forgets the keys that are remembered, unless none was destroyed since. A count that goes back is damaged, or of a vault that
// was replaced.
func (v *Vault) noticed(destructions int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if destructions != v.destructions {
		v.keys, v.destructions = recent.New[uuid.UUID, cipher.AEAD](unwrappedKeys), destructions
	}
}

// unwrapped reads a subject's key; nil if it was destroyed.
func (v *Vault) unwrapped(subject uuid.UUID) (cipher.AEAD, error) {
	var wrapped []byte
	err := v.person.Get(&wrapped, subject.String())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, &personal.NoKeyError{Subject: subject}
	}
	if err != nil {
		return nil, failed("reading a key", err)
	}
	plain, err := v.unwrap(subject.String(), wrapped)
	if err != nil || len(plain) == 0 {
		return nil, err
	}
	return aead(plain)
}

// Lacks returns those of the subjects whose keys the vault neither has nor knows to be destroyed, whatever this process remembers.
func (v *Vault) Lacks(ctx context.Context, subjects ...uuid.UUID) (missing []uuid.UUID, err error) {
	const some = 500
	for part := range slices.Chunk(subjects, some) {
		query, args, err := sqlx.In("SELECT subject, wrapped FROM persons WHERE subject IN (?)", part)
		if err != nil {
			return nil, err
		}
		var rows []struct {
			Subject uuid.UUID
			Wrapped []byte
		}
		if err := v.read.SelectContext(ctx, &rows, v.read.Rebind(query), args...); err != nil {
			return nil, failed("looking for keys", err)
		}
		there := make(map[uuid.UUID]bool)
		for _, r := range rows {
			there[r.Subject] = true
			if _, err := v.unwrap(r.Subject.String(), r.Wrapped); err != nil {
				return nil, err
			}
		}
		missing = append(missing, slices.DeleteFunc(slices.Clone(part), func(s uuid.UUID) bool { return there[s] })...)
	}
	return missing, nil
}
