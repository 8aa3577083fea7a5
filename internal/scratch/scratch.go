// Package scratch makes folders for what is needed briefly. They are private, and locked while they are in use, so that what a
// killed process has left can be told from what another one works on.
package scratch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"daybook/internal/lock"
)

const (
	prefix   = ".daybook-temporary-"
	lockName = "lock"
)

// New makes a folder in a folder, or in the system's temporary folder if that is "". remove removes it.
func New(in string) (path string, remove func() error, err error) {
	path, err = os.MkdirTemp(in, prefix) // readable by its owner only
	if err != nil {
		return "", nil, err
	}
	held, err := lock.File(filepath.Join(path, lockName))
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(path))
	}
	return path, func() error { return errors.Join(os.RemoveAll(path), held.Close()) }, nil
}

// Sweep removes the folders in a folder that killed processes have left: those that have a lock which nobody holds, and empty ones.
func Sweep(in string) error {
	left, err := filepath.Glob(filepath.Join(in, prefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		held, err := lock.Existing(filepath.Join(path, lockName))
		if err != nil {
			_ = os.Remove(path) // which fails unless it is empty
			continue
		}
		if err := errors.Join(os.RemoveAll(path), held.Close()); err != nil {
			return fmt.Errorf("removing what a killed process left: %w", err)
		}
	}
	return nil
}
