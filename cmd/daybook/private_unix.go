//go:build unix

package main

import "syscall"

// keepPrivate keeps other users from reading the files that the program creates.
func keepPrivate() { syscall.Umask(0o077) }
