//go:build unix && !race

package swarm

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapRegion asks the system for a region outside Go's heap: the collector
// neither scans nor counts it. It returns nil where there is no memory.
func mapRegion() (*region, []byte) {
	b, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(region{})), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil
	}
	return (*region)(unsafe.Pointer(unsafe.SliceData(b))), b
}

// unmapRegion gives a region back for good. An error would mean that it never
// was one; there is nothing to be done about it.
func unmapRegion(b []byte) { _ = unix.Munmap(b) }

// adviseUnused lets the system have the memory behind pages. They may be used
// again at any time, with any contents. A refusal only costs memory.
func adviseUnused(pages []page) {
	b := unsafe.Slice(&pages[0][0], len(pages)*pageSize)
	_ = unix.Madvise(b, adviceUnused)
}
