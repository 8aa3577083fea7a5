//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package sqlite

import (
	"errors"
	"io"
)

// Lock fails: without flock two processes could write the same log.
func Lock(string) (io.Closer, error) {
	return nil, errors.ErrUnsupported
}
