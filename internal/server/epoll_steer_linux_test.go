package server

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// steeredTo returns the processor whose connections a loop's socket takes.
func steeredTo(t *testing.T, l *epollLoop) int {
	t.Helper()
	n, err := unix.GetsockoptInt(l.listeners[0].fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSteer: connections go to the loop of their processor for as long as that leaves
// none with little to do beside a busy one.
func TestSteer(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	here := loop.Processor()
	one.Set(here)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.SchedSetaffinity(0, &before); err != nil {
			t.Error(err)
		}
	}()
	loops := loopsOf(newTestServer(t, 2))
	l, other := loops[0], loops[1]
	for i, window := range []struct {
		busy, least, total int
		want               int
		why                string
	}{
		{0, 0, 0, here, "nobody has anything to do"},
		{500, 0, 500, here, "a loop has half a window's work, the other none"},
		{800, 0, 800, here, "uneven for one window"},
		{800, 0, 800, here, "for two"},
		{800, 450, 1250, here, "no more"},
		{800, 400, 1200, here, "again for one"},
		{1000, 0, 1000, here, "for two"},
		{1000, 0, 1000, -1, "for three"},
		{1000, 0, 1000, -1, "still"},
		{600, 600, 1200, -1, "even, with more than one loop could carry"},
		{260, 250, 510, -1, "still a little more"},
		{250, 250, 500, here, "one loop could carry it all"},
	} {
		l.now += balanceWindow
		l.steer(window.busy, window.least, window.total)
		if got := steeredTo(t, l); got != window.want {
			t.Errorf("window %d (%s): the socket takes the connections of %d, want %d", i, window.why, got, window.want)
		}
	}

	other.now = l.now
	for range unevenWindows {
		l.steer(1000, 0, 1000)
	}
	if other.steer(0, 0, 1000); steeredTo(t, other) != -1 {
		t.Error("the other loop goes on by itself")
	}
	other.now += steerRetry
	if other.steer(600, 600, 1200); steeredTo(t, other) != here {
		t.Error("it is not tried again")
	}
}

func TestOneLoopIsNotSteered(t *testing.T) {
	l := loopsOf(newTestServer(t, 1))[0]
	before := steeredTo(t, l)
	if l.steer(0, 0, 0); l.processor != -1 || steeredTo(t, l) != before {
		t.Errorf("the socket takes the connections of %d", steeredTo(t, l))
	}
}

// TestSteerWithoutTheSystem: a system that refuses is asked once.
func TestSteerWithoutTheSystem(t *testing.T) {
	loops := loopsOf(newTestServer(t, 2))
	own := loops[0].listeners[0].fd
	loops[0].listeners[0].fd = -1
	loops[0].steer(0, 0, 0)
	loops[0].listeners[0].fd = own
	if loops[1].steer(0, 0, 0); loops[1].processor != -1 {
		t.Error("the other loop asks too")
	}
}
