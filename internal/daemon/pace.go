package daemon

import (
	"context"
	"io"
	"time"
)

const (
	// paceRest is how long a paced writer rests for each time it has worked.
	paceRest = 4
	// paceWork is what it works before it rests: much shorter rests than four
	// times this are beyond the timer.
	paceWork = time.Millisecond
)

// A pacedWriter takes a fifth of a core from who writes to it. A snapshot that is
// copied without a rest has some shard of the store locked nearly all the time, so
// that each announce has a chance to wait: BenchmarkAnnounceBeside. When ctx is done
// it rests no more: nobody is served then, and the stop has a deadline.
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
