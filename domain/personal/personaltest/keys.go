// Package personaltest provides keys and hashes for tests. Each key is derived from its subject, so that texts sealed by
// one instance can be opened by another.
package personaltest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"daybook/domain/personal"
)

// Keys implements personal.Keys. Every subject has a key until Forget.
type Keys struct {
	mu        sync.Mutex
	forgotten map[uuid.UUID]bool
	destroyed int
}

// Make returns personal.ErrForgotten if a subject was forgotten.
func (k *Keys) Make(_ context.Context, subjects ...uuid.UUID) error {
	for _, s := range subjects {
		if _, err := k.Key(s); err != nil {
			return err
		}
	}
	return nil
}

// Key returns the subject's derived key.
func (k *Keys) Key(subject uuid.UUID) (cipher.AEAD, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.forgotten[subject] {
		return nil, personal.ErrForgotten
	}
	key := sha256.Sum256(subject[:])
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Forget destroys a subject's key, and that of the snapshots.
func (k *Keys) Forget(subject uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.forgotten == nil {
		k.forgotten = make(map[uuid.UUID]bool)
	}
	k.forgotten[subject] = true
	k.forgotten[personal.Snapshots(k.destroyed)] = true
	k.destroyed++
}

// Destroyed returns how many subjects were forgotten.
func (k *Keys) Destroyed() (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.destroyed, nil
}

// Names implements personal.Hasher with a key that everybody knows, so that hashes can be told beforehand.
type Names struct{}

// Hash hashes the parts.
func (Names) Hash(space string, parts ...string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%q %q", space, parts))
}
