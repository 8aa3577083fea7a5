package vault

import (
	"context"
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
	box := key.Seal(nil, nil, data, blobBinding(id))
	err = v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec("INSERT INTO blobs (id, subject, box) VALUES (?, ?, ?)", id.String(), subject.String(), box)
		return err
	})
	if err != nil {
		return uuid.Nil, failed("storing a blob", err)
	}
	return id, nil
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

// DropBlob deletes a blob, if there is one.
func (v *Vault) DropBlob(ctx context.Context, id uuid.UUID) error {
	err := v.writer.commit(ctx, func(tx tx) error {
		_, err := tx.exec("DELETE FROM blobs WHERE id = ?", id.String())
		return err
	})
	if err != nil {
		return failed("deleting a blob", err)
	}
	return nil
}

func blobBinding(id uuid.UUID) []byte { return []byte("blob " + id.String()) }
