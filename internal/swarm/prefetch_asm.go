//go:build amd64 || arm64

package swarm

import "unsafe"

// prefetchLines asks for n cache lines, at least one, from the one at p on. It
// never faults, whatever lies behind p, and does not wait.
//
//go:noescape
func prefetchLines(p unsafe.Pointer, n uint32)
