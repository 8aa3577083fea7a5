package main

import (
	"fmt"
	"runtime/debug"
)

type versionCommand struct{}

// Run says which program this is and what it was built with.
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
