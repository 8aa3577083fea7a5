package main

import (
	"fmt"
	"runtime/debug"
)

type versionCommand struct{}

// Run prints the version of the program and of Go.
func (versionCommand) Run(t terminal) error {
	_, err := fmt.Fprintln(t.out, version())
	return err
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "daybook of an unknown version"
	}
	return fmt.Sprintf("daybook %s, built with %s", info.Main.Version, info.GoVersion)
}
