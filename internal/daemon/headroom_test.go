package daemon

import (
	"math"
	"testing"

	"spate/internal/server"
)

// TestHeadroom: swarms, connections and what garbage the heap may hold fit into
// the memory that there is.
func TestHeadroom(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct{ available, swarms, held, heap int64 }{
		{0, 0, 0, math.MaxInt64}, // unknown
		{300 * mib, 180 * mib, 30 * mib, 90 * mib},
		{1000 * mib, 600 * mib, 100 * mib, 300 * mib},
		{64 << 30, 38 << 30, server.DefaultMaxHeld, (26 << 30) / 4 * 3},
		{300 * mib, 0, 30 * mib, 45 * mib},          // swarms without a limit
		{300 * mib, 4096 * mib, 30 * mib, 45 * mib}, // with one that is no use
	} {
		if got := heldLimit(tt.available); got != tt.held {
			t.Errorf("of %d MiB, connections may hold %d, want %d", tt.available/mib, got, tt.held)
		}
		if got := heapLimit(tt.available, tt.swarms); got != tt.heap {
			t.Errorf("with swarms of %d MiB of %d, the heap gets %d, want %d", tt.swarms/mib, tt.available/mib, got, tt.heap)
		}
	}
}
