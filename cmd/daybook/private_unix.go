//go:build unix

package main

import "syscall"

// keepPrivate lets nobody else read the files that the program makes.
func keepPrivate() { syscall.Umask(0o077) }
