package server

import (
	"testing"
	"time"
)

// Await waits until something that must happen has happened. It is also for the
// tests outside the package.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	giveUp := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-giveUp:
			t.Fatalf("%s never happened", what)
		}
	}
}
