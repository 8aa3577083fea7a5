// Package lock locks files against other processes.
package lock

import "errors"

// ErrHeld means that another process holds a lock.
var ErrHeld = errors.New("another process holds the lock")
