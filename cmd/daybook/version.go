package main

import (
	"fmt"
	"runtime/debug"
)

type versionCommand struct{}

// Run says which program this is and what it was built with.
func (versionCommand) Run(t terminal) error {
	version, goVersion := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version, goVersion = info.Main.Version, info.GoVersion
	}
	_, err := fmt.Fprintf(t.out, "daybook %s, built with %s\n", version, goVersion)
	return err
}
