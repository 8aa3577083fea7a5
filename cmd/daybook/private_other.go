//go:build !unix

package main

// keepPrivate does nothing here: files are as private as their folder.
func keepPrivate() {}
