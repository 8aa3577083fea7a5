//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package sqlite

import (
	"errors"
	"os"
)

// Lock fails: without flock two processes could write the same log.
func Lock(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
