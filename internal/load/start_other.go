//go:build !linux

package load

import (
	"runtime"
	"sync"
)

// start lets the worker send until ctx ends, with a goroutine for each
// connection.
func (w *worker) start(t term, done *sync.WaitGroup) {
	w.startBlocking(t, done)
}

// processors returns how many processors this process may run on.
func processors() int { return runtime.NumCPU() }

// onLoops reports whether each worker is one loop, and not many goroutines.
func onLoops(*Config) bool { return false }
