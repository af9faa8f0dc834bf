//go:build !unix || race

package swarm

// mapRegion takes a region from Go's heap: where there is no mmap, and under the
// race detector, which watches nothing else.
func mapRegion() (*region, []byte) { return new(region), nil }

func unmapRegion([]byte) {}

func adviseUnused([]page) {}
