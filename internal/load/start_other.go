//go:build !linux

package load

import (
	"context"
	"sync"
)

// start lets the worker send until ctx ends, with a goroutine for each
// connection.
func (w *worker) start(ctx context.Context, done *sync.WaitGroup) {
	w.startBlocking(ctx, done)
}
