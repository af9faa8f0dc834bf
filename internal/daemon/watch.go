package daemon

import (
	"context"
	"time"

	"spate/internal/files"
)

// watchEvery is how often files are looked at.
const watchEvery = 2 * time.Second

// watch loads again what has changed on the disk, until ctx is done.
func (d *Daemon) watch(files *files.Watch) func(ctx context.Context) {
	return func(ctx context.Context) {
		ticks := time.NewTicker(watchEvery)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				if files.Changed() {
					files.Note()
					_ = d.Reload() // the log has its error
				}
			}
		}
	}
}
