//go:build unix && !linux && !race

package swarm

import "golang.org/x/sys/unix"

// adviceUnused lets the system free when it needs to; MADV_DONTNEED frees
// nothing outside Linux.
const adviceUnused = unix.MADV_FREE
