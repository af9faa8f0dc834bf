package load

import (
	"context"
	"math"
	"time"
)

// pace says when a worker's requests are due. A closed loop's are due at once.
// It is used by one goroutine at a time.
type pace struct {
	rate  float64 // requests per second; 0 is a closed loop
	ramp  float64 // seconds over which the rate grows from 0
	begin time.Time
	n     float64 // requests handed out
}

func newPace(c *RateConfig, workers int, begin time.Time) pace {
	if c.Mode == modeClosed {
		return pace{begin: begin}
	}
	return pace{rate: c.RequestsPerSecond / float64(workers), ramp: float64(c.Ramp), begin: begin}
}

// next returns when the next request is due, and hands it out.
func (p *pace) next(now time.Time) time.Time {
	if p.rate == 0 {
		return now
	}
	due := p.peek()
	p.n++
	return due
}

// peek returns when the next request is due.
func (p *pace) peek() time.Time {
	// With a ramp, n requests have been due by t where n = rate·t²/(2·ramp), and
	// after it n = rate·(t - ramp/2).
	t := p.n/p.rate + p.ramp/2
	if ramped := p.rate * p.ramp / 2; p.n < ramped {
		t = math.Sqrt(2 * p.ramp * p.n / p.rate)
	}
	return p.begin.Add(time.Duration(t * float64(time.Second)))
}

// behind returns how many requests are due by now and not handed out.
func (p *pace) behind(now time.Time) uint64 {
	if p.rate == 0 || now.Before(p.peek()) {
		return 0
	}
	t := now.Sub(p.begin).Seconds()
	due := p.rate * (t - p.ramp/2)
	if t < p.ramp {
		due = p.rate * t * t / (2 * p.ramp)
	}
	return uint64(max(1, due-p.n))
}

// sleepUntil waits for t or the context's end, and reports whether t came.
func sleepUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
