//go:build !race

package server

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestLoopAllocatesNothing does not count under the race detector, which
// allocates by itself.
func TestLoopAllocatesNothing(t *testing.T) {
	s := newTestServer(t, 1)
	runTestServer(t, s)
	c := newBlockingClient(s)
	kept := c.dial(t)
	defer unix.Close(kept)
	for name, f := range map[string]func(){
		"close": func() {
			fd := c.dial(t)
			c.exchange(t, fd, []byte(closeRequest), closeReply)
			_ = unix.Close(fd)
		},
		"kept": func() { c.exchange(t, kept, []byte(keepRequest), keepReply) },
		"in pieces": func() {
			_, _ = unix.Write(kept, []byte(keepRequest[:20]))
			c.exchange(t, kept, []byte(keepRequest[20:]), keepReply)
		},
		"kept once": func() {
			fd := c.dial(t)
			c.exchange(t, fd, []byte(keepRequest), keepReply)
			_ = unix.Close(fd)
		},
	} {
		// It leaves one processor to client and loop, which dozes with it: 20 ms each.
		if n := testing.AllocsPerRun(50, f); n != 0 {
			t.Errorf("%s: %v allocations per request", name, n)
		}
	}
}
