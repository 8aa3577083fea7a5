package vault

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// MaxBlob is how large a blob may be, in bytes.
const MaxBlob = 25 << 20

// Errors of blobs.
var (
	ErrNoBlob      = errors.New("there is no such blob")
	ErrBlobTooLong = fmt.Errorf("a blob has at most %d MiB", MaxBlob>>20)
)

// KeepBlob stores data about a person, such as a picture, sealed under their key, and returns the random id by which it is found. It
// goes with the key.
func (v *Vault) KeepBlob(ctx context.Context, subject uuid.UUID, data []byte) (uuid.UUID, error) {
	if len(data) > MaxBlob {
		return uuid.Nil, ErrBlobTooLong
	}
	key, err := v.Key(subject)
	if err != nil {
		return uuid.Nil, err
	}
	id := uuid.New()
	_, err = v.keepBlobs(ctx, key, subject, map[uuid.UUID][]byte{id: data})
	return id, err
}

// KeepBlobs is KeepBlob for several, under ids that nobody can guess, which the caller has made. Those that are there already stay as
// they are; there reports whether one was.
func (v *Vault) KeepBlobs(ctx context.Context, subject uuid.UUID, blobs map[uuid.UUID][]byte) (there bool, err error) {
	for _, data := range blobs {
		if len(data) > MaxBlob {
			return false, ErrBlobTooLong
		}
	}
	key, err := v.Key(subject)
	if err != nil {
		return false, err
	}
	return v.keepBlobs(ctx, key, subject, blobs)
}

func (v *Vault) keepBlobs(ctx context.Context, key cipher.AEAD, subject uuid.UUID, blobs map[uuid.UUID][]byte) (there bool, err error) {
	boxes := make(map[uuid.UUID][]byte, len(blobs))
	for id, data := range blobs {
		boxes[id] = key.Seal(nil, nil, data, blobBinding(id))
	}
	err = v.writer.commit(ctx, func(tx tx) error {
		there = false
		for id, box := range boxes {
			n, err := tx.exec("INSERT INTO blobs (id, subject, box) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", id.String(), subject.String(), box)
			if err != nil {
				return err
			}
			there = there || n == 0
		}
		return nil
	})
	if err != nil {
		return false, failed("storing a blob", err)
	}
	return there, nil
}

// A BlobOf is a blob by its id, and whom it is about.
type BlobOf struct{ ID, Subject uuid.UUID }

// Blobs returns at most so many blobs, in the order of their ids, after one; the nil id: from the first.
func (v *Vault) Blobs(ctx context.Context, after uuid.UUID, most int) (all []BlobOf, err error) {
	err = v.read.SelectContext(ctx, &all, v.read.Rebind("SELECT id, subject FROM blobs WHERE id > ? ORDER BY id LIMIT ?"), after.String(), most)
	if err != nil {
		return nil, failed("listing blobs", err)
	}
	return all, nil
}

// Blob returns what KeepBlob stored about a person. The error can be ErrNoBlob, or personal.ErrForgotten.
func (v *Vault) Blob(ctx context.Context, subject, id uuid.UUID) ([]byte, error) {
	key, err := v.Key(subject)
	if err != nil {
		return nil, err
	}
	var box []byte
	err = v.read.GetContext(ctx, &box, v.read.Rebind("SELECT box FROM blobs WHERE id = ? AND subject = ?"), id.String(), subject.String())
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoBlob
	}
	if err != nil {
		return nil, failed("reading a blob", err)
	}
	data, err := key.Open(nil, nil, box, blobBinding(id))
	if err != nil {
		return nil, damage("blob " + id.String())
	}
	return data, nil
}

// DropBlobs deletes blobs, those that are there.
func (v *Vault) DropBlobs(ctx context.Context, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	err := v.writer.commit(ctx, func(tx tx) error {
		for _, id := range ids {
			if _, err := tx.exec("DELETE FROM blobs WHERE id = ?", id.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return failed("deleting blobs", err)
	}
	return nil
}

func blobBinding(id uuid.UUID) []byte { return []byte("blob " + id.String()) }
