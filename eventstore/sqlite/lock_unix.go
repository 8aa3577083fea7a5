//go:build linux || darwin || freebsd || netbsd || openbsd

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// Lock creates a file and locks it until it is closed or the process ends, however it ends. If another process holds the lock, it
// returns ErrInUse. The log's lock is a file of its own, because closing any descriptor of the log itself would drop SQLite's locks.
func Lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	return nil, err
}
