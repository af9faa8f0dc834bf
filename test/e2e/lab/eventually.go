package lab

import (
	"context"
	"testing"
	"time"
)

// pollEvery is how often Eventually looks.
const pollEvery = 100 * time.Millisecond

// Eventually calls check until it returns nil, and fails the test with check's
// last answer if that has not happened within the deadline, or at once if one of
// the processes that have to be alive is not.
func Eventually(t testing.TB, within time.Duration, what string, check func() error, alive ...*Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		for _, p := range alive {
			if gone := p.Err(); gone != nil {
				t.Fatalf("waiting for %s: %v; last seen: %v", what, gone, err)
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no %s within %v; last seen: %v", what, within, err)
		case <-tick.C:
		}
	}
}
