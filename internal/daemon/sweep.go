package daemon

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// sweepShare: a pass takes a quarter of the time from one to the next, so that
	// a peer that is due goes soon after, and no pass is felt.
	sweepShare = 4
	// sweepTick is the shortest pause between two slices. Where a pass has more
	// slices than ticks, several are done at a tick.
	sweepTick = 20 * time.Millisecond
	// firstPass is how many slices the first pass is thought to have.
	firstPass = 64
	// stuckAfter: a pass that is late by this many intervals, and by stuckSlack,
	// is stuck.
	stuckAfter = 3
	stuckSlack = 30 * time.Second
)

// sweepPeriod returns the time from one pass to the next. With the quarter of it over
// which a pass is spread it is torrent_cleaning_interval, so that a peer goes no
// later than that after it was due. Passes that are rare beside the age of peers
// would leave the store to look through whole shards at once.
func sweepPeriod(cleaningInterval, peerAge time.Duration) time.Duration {
	return min(cleaningInterval, peerAge/2) * sweepShare / (sweepShare + 1)
}

// A sweeper passes over the store once an interval, in slices spread out over
// a part of it.
type sweeper struct {
	// sweep does one slice, and says whether the pass has more.
	sweep    func(now time.Duration) (more bool)
	clock    func() time.Duration
	interval time.Duration

	// lastPass is when the last pass ended, by clock.
	lastPass atomic.Int64
	// lastSlice is when the last slice ended, by clock.
	lastSlice atomic.Int64
}

// run sweeps until ctx is done.
func (s *sweeper) run(ctx context.Context) {
	s.lastPass.Store(int64(s.clock()))
	passes := time.NewTicker(s.interval)
	defer passes.Stop()
	slices := firstPass
	for {
		select {
		case <-ctx.Done():
			return
		case <-passes.C:
		}
		n, done := s.pass(ctx, slices)
		if !done {
			return
		}
		slices = n
		s.lastPass.Store(int64(s.clock()))
	}
}

// pass does one pass, which is expected to have so many slices, and returns how
// many it had. It is not done when ctx was.
func (s *sweeper) pass(ctx context.Context, expected int) (n int, done bool) {
	budget := s.interval / sweepShare
	tick := max(sweepTick, budget/time.Duration(expected))
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		// A pass that turns out longer than the last one gains speed, by shorter ticks
		// as long as there are any: many slices at once are felt.
		slices := time.Duration(max(n, expected))
		if t := max(sweepTick, budget/slices); t != tick {
			tick = t
			ticks.Reset(tick)
		}
		atOnce := int((slices*tick + budget - 1) / budget)
		for range max(1, atOnce) {
			n++
			more := s.sweep(s.clock())
			s.lastSlice.Store(int64(s.clock()))
			if !more {
				return n, true
			}
		}
		select {
		case <-ctx.Done():
			return n, false
		case <-ticks.C:
		}
	}
}

// stuck reports whether no pass has ended for far longer than it should take.
func (s *sweeper) stuck() bool {
	since := s.clock() - time.Duration(s.lastPass.Load())
	return (since-stuckSlack)/stuckAfter > s.interval // three intervals may be more than a Duration holds
}

// sinceSlice returns how long ago the last slice ended.
func (s *sweeper) sinceSlice() time.Duration {
	return s.clock() - time.Duration(s.lastSlice.Load())
}
