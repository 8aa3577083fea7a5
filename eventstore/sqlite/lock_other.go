//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package sqlite

import (
	"errors"
	"os"
)

// lockFile refuses: without flock two processes could number the same log.
func lockFile(string) (*os.File, error) {
	return nil, errors.ErrUnsupported
}
