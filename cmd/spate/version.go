package main

import (
	"runtime/debug"

	"spate/internal/daemon"
)

// The linker sets these: see the Makefile.
var (
	version = "unknown"
	commit  = "unknown"
)

// build says which program this is. What was not built by make build knows its
// commit from the Go command, if at all.
func build() daemon.Build {
	b := daemon.Build{Version: version, Commit: commit}
	info, found := debug.ReadBuildInfo()
	if !found || commit != "unknown" {
		return b
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Commit = s.Value
		}
	}
	return b
}
