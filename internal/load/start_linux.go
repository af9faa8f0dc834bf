package load

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// start lets the worker send as long as t lets it. On Linux plain HTTP runs on one
// epoll loop for all the worker's connections; TLS takes a goroutine for each.
func (w *worker) start(t term, done *sync.WaitGroup) {
	if !onLoops(w.cfg) {
		w.startBlocking(t, done)
		return
	}
	done.Go(func() { w.runLoop(t) })
}

// processors returns how many processors this process may run on.
func processors() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// onLoops reports whether each worker is one loop, and not many goroutines.
func onLoops(cfg *Config) bool { return !cfg.EnableTLS }
