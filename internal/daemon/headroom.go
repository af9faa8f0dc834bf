package daemon

import (
	"math"
	"runtime/debug"

	"spate/internal/server"
)

const (
	// heldShare is the part that partial heads and unsent replies may take of
	// the memory that there is, in 1/n.
	heldShare = 10
	// leastHeap is what the Go heap is granted, in 1/n of the memory, where the
	// swarms may take all of it.
	leastHeap = 5
)

// heldLimit returns how many bytes connections may hold. Available is the memory
// that the process may use, 0 when that is unknown.
func heldLimit(available int64) int64 {
	if available == 0 {
		return 0
	}
	return min(available/heldShare, server.DefaultMaxHeld)
}

// heapLimit returns the size of the Go heap, in bytes, near which garbage is collected
// more often than the runtime does by itself: three quarters of what the swarms, which
// are not on it, leave of the available memory. The last quarter is for the system's
// stacks, the kernel's tables and the binary itself. Swarms is their limit in bytes, 0
// for none.
func heapLimit(available, swarms int64) int64 {
	if available == 0 {
		return math.MaxInt64
	}
	rest := available - swarms
	if swarms == 0 {
		rest = 0
	}
	return max(rest, available/leastHeap) / 4 * 3
}

// limitHeap sets heapLimit, unless the operator has set a lower one (GOMEMLIMIT).
func limitHeap(available, swarms int64) {
	if limit := heapLimit(available, swarms); limit < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(limit)
	}
}
