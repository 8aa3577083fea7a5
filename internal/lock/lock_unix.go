//go:build linux || darwin || freebsd || netbsd || openbsd

package lock

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// File creates a file and locks it until it is closed or the process ends, however it ends. If another process holds the lock, it
// returns ErrHeld.
func File(path string) (io.Closer, error) { return locked(path, os.O_CREATE) }

// Existing locks a file like File, but does not create it.
func Existing(path string) (io.Closer, error) { return locked(path, 0) }

func locked(path string, create int) (io.Closer, error) {
	f, err := os.OpenFile(path, create|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return held{f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrHeld
	}
	return nil, err
}

// held is a file that is locked.
type held struct{ *os.File }

// Close unlocks the file first: a process that is being started may still have a copy of the descriptor, which would keep
// the lock.
func (h held) Close() error {
	return errors.Join(syscall.Flock(int(h.Fd()), syscall.LOCK_UN), h.File.Close())
}
