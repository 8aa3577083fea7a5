//go:build !linux

package postgresserver

import "syscall"

// unprivileged has nothing to do for a user who is not root.
func unprivileged(string) (*syscall.SysProcAttr, error) { return nil, nil }
