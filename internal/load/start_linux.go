package load

import "sync"

// start lets the worker send as long as t lets it. On Linux plain HTTP runs on one
// epoll loop for all the worker's connections; TLS takes a goroutine for each.
func (w *worker) start(t term, done *sync.WaitGroup) {
	if !onLoops(w.cfg) {
		w.startBlocking(t, done)
		return
	}
	done.Go(func() { w.runLoop(t) })
}

// onLoops reports whether each worker is one loop, and not many goroutines.
func onLoops(cfg *Config) bool { return !cfg.EnableTLS }
