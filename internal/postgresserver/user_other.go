//go:build !linux

package postgresserver

import "syscall"

// unprivileged needs to do nothing for a user who is not root.
func unprivileged(string) (*syscall.SysProcAttr, error) { return nil, nil }
