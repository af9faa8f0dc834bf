package load

import (
	"context"
	"sync"
)

// start lets the worker send until ctx ends. On Linux plain HTTP runs on one
// epoll loop for all the worker's connections; TLS takes a goroutine for each.
func (w *worker) start(ctx context.Context, done *sync.WaitGroup) {
	if w.cfg.EnableTLS {
		w.startBlocking(ctx, done)
		return
	}
	done.Go(func() { w.runLoop(ctx) })
}
