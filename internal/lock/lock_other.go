//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package lock

import (
	"errors"
	"io"
)

// File fails: without flock two processes could write the same log.
func File(string) (io.Closer, error) {
	return nil, errors.ErrUnsupported
}

// Existing fails as File does.
func Existing(string) (io.Closer, error) { return nil, errors.ErrUnsupported }
