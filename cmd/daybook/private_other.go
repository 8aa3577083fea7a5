//go:build !unix

package main

// keepPrivate does nothing on this system: files are as private as their folder.
func keepPrivate() {}
