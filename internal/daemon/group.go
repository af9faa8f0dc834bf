package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A group is goroutines that end together: when one fails, failed is called.
type group struct {
	all    sync.WaitGroup
	errs   chan error // has room for one error of each goroutine that can fail
	failed func()
}

// start runs a goroutine, whose error gets its name.
func (g *group) start(ctx context.Context, name string, run func(context.Context) error) {
	g.all.Go(func() {
		if err := run(ctx); err != nil {
			g.errs <- fmt.Errorf("%s: %w", name, err)
			g.failed()
		}
	})
}

// forever makes what cannot fail startable.
func forever(run func(context.Context)) func(context.Context) error {
	return func(ctx context.Context) error { run(ctx); return nil }
}

// every calls do once an interval, first after one, until ctx is done.
func every(ctx context.Context, interval time.Duration, do func()) {
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			do()
		}
	}
}

// wait waits for all goroutines and returns their errors.
func (g *group) wait() error {
	g.all.Wait()
	close(g.errs)
	var errs []error
	for err := range g.errs {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
