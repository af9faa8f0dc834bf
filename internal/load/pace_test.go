package load

import (
	"testing"
	"time"
)

func TestPaceKeepsItsRateAfterTheRamp(t *testing.T) {
	begin := time.Unix(0, 0)
	p := newPace(&RateConfig{Mode: modeOpen, RequestsPerSecond: 200, Ramp: 4}, 2, begin)
	last := begin
	count := map[int]int{}
	for last.Sub(begin) < 10*time.Second {
		due := p.next(begin)
		if due.Before(last) {
			t.Fatalf("due times go back: %v after %v", due, last)
		}
		last = due
		count[int(due.Sub(begin)/time.Second)]++
	}
	// 100 a second for this worker, after 12.5, 37.5, 62.5 and 87.5.
	for second, want := range []int{12, 37, 62, 87, 100, 100, 100, 100, 100, 100} {
		if got := count[second]; got < want-1 || got > want+2 {
			t.Errorf("second %d: %d requests due, want %d", second, got, want)
		}
	}
}

func TestPaceOfAClosedLoopIsAtOnce(t *testing.T) {
	now := time.Unix(7, 0)
	p := newPace(&RateConfig{Mode: modeClosed, RequestsPerSecond: 1}, 1, time.Unix(0, 0))
	for range 3 {
		if due := p.next(now); !due.Equal(now) {
			t.Errorf("due at %v, want now, %v", due, now)
		}
	}
}
