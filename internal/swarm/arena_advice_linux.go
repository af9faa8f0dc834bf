//go:build !race

package swarm

import "golang.org/x/sys/unix"

// adviceUnused frees at once: resident size is what operators look at.
const adviceUnused = unix.MADV_DONTNEED
