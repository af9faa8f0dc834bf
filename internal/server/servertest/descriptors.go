package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"spate/internal/server"
)

// descriptorsEnv marks the process in which descriptors are scarce.
const descriptorsEnv = "SERVERTEST_FEW_DESCRIPTORS"

// descriptorsDone is what that process prints at its end, so that one in which
// no test ran is told from a good one.
const descriptorsDone = "descriptors were scarce"

// descriptors lets a server run out of descriptors, in a process of its own:
// the limit is the whole process's.
func (c Carrier) descriptors(t *testing.T) {
	if os.Getenv(descriptorsEnv) != "" {
		c.fewDescriptors(t)
		fmt.Println(descriptorsDone)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), descriptorsEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(descriptorsDone)) {
		t.Errorf("%v\n%s", err, out)
	}
}

func (c Carrier) fewDescriptors(t *testing.T) {
	s := c.open(t, c.config())
	// The client's sockets come from the same process, so they are made first.
	var socks []int
	for range 50 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		socks = append(socks, fd)
	}
	// At first there is none left: what a running server needs for itself it
	// must have by now, and the Go runtime as well, which dies without.
	last := socks[len(socks)-1]
	limitDescriptors(t, last+1)
	s.run()
	a := s.Addrs()[0].(*net.TCPAddr)
	to := &unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}
	for _, fd := range socks {
		if err := unix.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, []byte(get("/announce"))); err != nil {
			t.Fatal(err)
		}
	}
	s.await("a pause of accepting", func(st server.Stats) bool { return st.AcceptPauses > 0 })
	// Now there is room for 10 of the 50.
	limitDescriptors(t, last+11)
	// Each connection that ends lets another one in: all are answered, in
	// whatever order.
	for len(socks) > 0 {
		i := anyReadable(t, socks)
		s.expect(rawConn(socks[i]), reply(echo))
		_ = unix.Close(socks[i])
		socks = slices.Delete(socks, i, i+1)
	}
	s.await("no open connection", func(st server.Stats) bool { return st.Open == 0 })
	if st := s.Stats(); st.Accepted4 != 50 || st.AcceptPauses > 1000 {
		t.Errorf("%d connections accepted and %d pauses, want 50 and few", st.Accepted4, st.AcceptPauses)
	}
}

// limitDescriptors lets the process have no descriptor from n on, beyond those
// that it has.
func limitDescriptors(t *testing.T, n int) {
	t.Helper()
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	setLimit(&limit.Cur, n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
}

// anyReadable waits until there is something to read from one of the sockets.
func anyReadable(t *testing.T, socks []int) int {
	t.Helper()
	polled := make([]unix.PollFd, len(socks))
	for i, fd := range socks {
		polled[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	for {
		n, err := unix.Poll(polled, int(Patience.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			t.Fatalf("none of %d connections is answered (%v)", len(socks), err)
		}
		return slices.IndexFunc(polled, func(p unix.PollFd) bool { return p.Revents != 0 })
	}
}

// setLimit sets a limit, whose type differs between systems.
func setLimit[T int64 | uint64](limit *T, n int) { *limit = T(n) }

// rawConn reads from a blocking socket.
type rawConn int

func (r rawConn) Read(b []byte) (int, error) {
	for {
		n, err := unix.Read(int(r), b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
