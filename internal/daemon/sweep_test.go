package daemon

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// TestSweepIsSpreadOut: a pass of many slices takes a quarter of the interval,
// once the sweeper knows how many there are, and never more than the interval. No pass
// has more slices at once than one that knows.
func TestSweepIsSpreadOut(t *testing.T) {
	for _, slices := range []int{1, 7, 1000, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var starts, ends []time.Duration
			done := 0
			var tick time.Duration
			atOnce, most := 0, 0
			s := &sweeper{
				interval: 30 * time.Second,
				clock:    func() time.Duration { return time.Since(start) },
			}
			s.sweep = func(now time.Duration) bool {
				if done == 0 {
					starts = append(starts, now)
				}
				if now != tick || done == 0 {
					tick, atOnce = now, 0
				}
				atOnce++
				most = max(most, atOnce)
				done++
				if done < slices {
					return true
				}
				done = 0
				ends = append(ends, now)
				return false
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			s.run(ctx)

			// The first pass does not know its length and may take long.
			last := len(ends) - 1
			if last < 10 {
				t.Fatalf("%d slices: %d passes in ten minutes", slices, len(ends))
			}
			if took := ends[last] - starts[last]; took > 9*time.Second || (slices > 1 && took < 6*time.Second) {
				t.Errorf("%d slices: a pass took %v", slices, took)
			}
			if limit := int(time.Duration(slices)*sweepTick/(30*time.Second/sweepShare)) + 1; most > limit {
				t.Errorf("%d slices: %d at once, want %d at most", slices, most, limit)
			}
			if gap := starts[last] - starts[last-1]; gap != 30*time.Second {
				t.Errorf("%d slices: passes start %v apart", slices, gap)
			}
		})
	}
}

// TestPeersGoWithinTheCleaningInterval: the longest time between two looks at one
// place, first in one pass and last in the next.
func TestPeersGoWithinTheCleaningInterval(t *testing.T) {
	for _, test := range []struct{ cleaning, age, want time.Duration }{
		{30 * time.Second, time.Hour, 30 * time.Second},
		{time.Second, time.Minute, time.Second},
		{time.Hour, time.Minute, 30 * time.Second},
	} {
		period := sweepPeriod(test.cleaning, test.age)
		if got := period + period/sweepShare; got > test.want || got < test.want*9/10 {
			t.Errorf("interval %v, age %v: %v between two looks", test.cleaning, test.age, got)
		}
	}
}

func TestStuckSweepShows(t *testing.T) {
	var now time.Duration
	s := &sweeper{interval: 30 * time.Second, clock: func() time.Duration { return now }}
	if now = 90 * time.Second; s.stuck() {
		t.Error("stuck too early")
	}
	if now = 121 * time.Second; !s.stuck() {
		t.Error("not stuck after four intervals without the end of a pass")
	}
	s.interval = math.MaxUint32 * time.Second // the longest that can be configured
	if s.stuck() {
		t.Error("stuck before the first pass of the longest interval")
	}
}
