package loop

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSteer has a processor's connections come to the socket that asks for them.
// Before Linux 6.2 none is lost, and that is all.
func TestSteer(t *testing.T) {
	runtime.LockOSThread() // and never unlocked: the thread ends with its affinity
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	here := Processor()
	other := -1
	for n := range 64 {
		if all.IsSet(n) && n != here {
			other = n
		}
	}
	first, at := steered(t, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, here)
	defer Close(first)
	second, at := steered(t, at, other)
	defer Close(second)
	for processor, sockets := range map[int][2]int{here: {first, second}, other: {second, first}} {
		if processor < 0 {
			continue // there is one only
		}
		var one unix.CPUSet
		one.Set(processor)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Fatal(err)
		}
		if got := Processor(); got != processor {
			t.Fatalf("runs on processor %d, want %d", got, processor)
		}
		const connections = 20
		for range connections {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err == nil {
				defer Close(fd)
				err = unix.Connect(fd, at)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		mine, others := queued(sockets[0]), queued(sockets[1])
		if mine+others != connections || mine != connections && atLeast(t, 6, 2) {
			t.Errorf("from processor %d: its socket has %d connections, the other one %d, want %d and 0", processor, mine, others, connections)
		}
	}
}

// steered returns a listening socket that shares its port and takes the connections of
// a processor, and its address.
func steered(t *testing.T, at unix.Sockaddr, processor int) (int, unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1), unix.Bind(fd, at), unix.Listen(fd, 64), Steer(fd, processor))
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd, at
}

// queued takes what is in a listening socket's queue, and returns how many it was.
func queued(fd int) (n int) {
	var s Source
	for ; ; n++ {
		c, errno := Accept(fd, &s)
		if errno != 0 {
			return n
		}
		Close(c)
	}
}

// atLeast reports whether the kernel is of that version or a later one.
func atLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var have [2]int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &have[0], &have[1]); err != nil {
		t.Fatal(err)
	}
	return have[0] > major || have[0] == major && have[1] >= minor
}
