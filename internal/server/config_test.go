package server

import (
	"math"
	"testing"
	"time"

	"spate/internal/loop"
)

// TestLongestIdleTimeout: what lies beyond the timers' reach is as good as never.
func TestLongestIdleTimeout(t *testing.T) {
	for _, tt := range []struct{ configured, want time.Duration }{
		{0, defaultIdleTimeout},
		{time.Hour, time.Hour},
		{math.MaxUint32 * time.Second, loop.MaxAhead}, // the most that a configuration file may say
	} {
		c := Config{IdleTimeout: tt.configured}.withDefaults()
		if c.IdleTimeout != tt.want {
			t.Errorf("%v becomes %v, want %v", tt.configured, c.IdleTimeout, tt.want)
		}
	}
}
