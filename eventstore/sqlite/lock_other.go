//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package sqlite

import (
	"errors"
	"os"
)

// Lock refuses: without flock two processes could number the same log.
func Lock(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
