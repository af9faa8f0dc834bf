package daemon

import (
	"context"
	"io"
	"time"
)

const (
	// paceRest: a paced writer rests this many times as long as it has worked.
	paceRest = 4
	// paceWork is how long it works before it rests. Timers are not exact enough for
	// rests that are much shorter than four times this.
	paceWork = time.Millisecond
)

// A pacedWriter slows down whoever writes to it, to a fifth of a core. A snapshot that
// is copied without a rest has some shard of the store locked nearly all the time, so
// that any announce may have to wait (BenchmarkAnnounceBeside). When ctx is done it
// rests no more: nobody is served then, and the stop has a deadline.
type pacedWriter struct {
	ctx   context.Context
	w     io.Writer
	awake time.Time // when it last began to work
}

func (p *pacedWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if worked := time.Since(p.awake); worked >= paceWork && p.ctx.Err() == nil {
		rest := time.NewTimer(paceRest * worked)
		defer rest.Stop()
		select {
		case <-p.ctx.Done():
		case <-rest.C:
		}
		p.awake = time.Now()
	}
	return n, err
}
