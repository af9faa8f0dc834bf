package loop

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen returns a tuned listening socket on the loopback.
func listen(t *testing.T, o Options) (fd int, addr string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err == nil {
		err = unix.Listen(fd, 16)
	}
	if err == nil {
		err = Tune(fd, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: sa.(*unix.SockaddrInet4).Port}).String()
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// wantEvent waits for one event and compares it.
func wantEvent(t *testing.T, p *Poller, want Event) {
	t.Helper()
	events, err := p.Wait(10 * time.Second)
	if err != nil || len(events) != 1 || events[0] != want {
		t.Fatalf("got %v (%v), want %v", events, err, want)
	}
}

// TestExchange takes a connection through all calls.
func TestExchange(t *testing.T) {
	fd, addr := listen(t, Options{Defer: 10 * time.Second, SlowACK: true})
	defer Close(fd)
	p := newPoller(t)
	const token = Token(1)<<63 | 5
	if err := p.Add(fd, Readable, token); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "ping"); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, p, Event{token, Readable})
	var from Source
	conn, errno := Accept(fd, &from)
	if errno != 0 || !from.Addr().IsLoopback() || !from.Addr().Is4() {
		t.Fatalf("accepted %v: %v", from.Addr(), errno)
	}
	if _, errno := Accept(fd, &from); errno != unix.EAGAIN {
		t.Errorf("an empty queue gives %v", errno)
	}
	var buf [16]byte
	// TCP_DEFER_ACCEPT: the bytes are there with the connection.
	if n, errno := Recv(conn, buf[:]); errno != 0 || string(buf[:n]) != "ping" {
		t.Errorf("received %q: %v", buf[:n], errno)
	}
	if _, errno := Recv(conn, buf[:]); errno != unix.EAGAIN {
		t.Errorf("nothing to read gives %v", errno)
	}
	QuickACK(conn)
	if n, errno := Send(conn, []byte("pong"), true); errno != 0 || n != 4 {
		t.Errorf("sent %d: %v", n, errno)
	}
	Close(conn)
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "pong" {
		t.Errorf("read %q: %v", got, err)
	}
}

func TestShutdownAndReset(t *testing.T) {
	fd, addr := listen(t, Options{})
	defer Close(fd)
	for _, reset := range []bool{false, true} {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		p := newPoller(t)
		if err := p.Add(fd, Readable|Exclusive, 1); err != nil {
			t.Fatal(err)
		}
		wantEvent(t, p, Event{1, Readable})
		if err := p.Remove(fd); err != nil {
			t.Fatal(err)
		}
		var from Source
		conn, errno := Accept(fd, &from)
		if errno != 0 {
			t.Fatal(errno)
		}
		if reset {
			Reset(conn)
		} else if errno := ShutdownWrite(conn); errno != 0 {
			t.Fatal(errno)
		} else if err := p.Add(conn, Readable, 2); err != nil {
			t.Fatal(err)
		} else if err := p.Modify(conn, Writable, 3); err != nil {
			t.Fatal(err)
		} else {
			wantEvent(t, p, Event{3, Writable})
		}
		Close(conn)
		if _, err := c.Read(make([]byte, 1)); (err == io.EOF) == reset {
			t.Errorf("with reset %v the peer reads %v", reset, err)
		}
		_ = c.Close()
	}
}

// TestEdge watches a descriptor whose events come once.
func TestEdge(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := fds[0], fds[1]
	defer Close(ours)
	defer Close(theirs)
	p := newPoller(t)
	const watch = Readable | Ended | Edge
	if err := p.Add(ours, watch, 7); err != nil {
		t.Fatal(err)
	}
	quiet := func() {
		t.Helper()
		if events, err := p.Wait(0); err != nil || len(events) != 0 {
			t.Fatalf("polled %v: %v", events, err)
		}
	}
	quiet()
	for range 2 {
		if _, errno := Send(theirs, []byte("ping"), false); errno != 0 {
			t.Fatal(errno)
		}
		wantEvent(t, p, Event{7, Readable})
		quiet() // the bytes are still there
	}
	if err := p.Modify(ours, watch, 8); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, p, Event{8, Readable})
	if errno := ShutdownWrite(theirs); errno != 0 {
		t.Fatal(errno)
	}
	wantEvent(t, p, Event{8, Readable | Ended})
	quiet()
}

func TestWake(t *testing.T) {
	p := newPoller(t)
	if events, err := p.Wait(0); err != nil || len(events) != 0 {
		t.Errorf("polled %v: %v", events, err)
	}
	woken := make(chan error)
	go func() {
		_, err := p.Wait(time.Hour)
		woken <- err
	}()
	p.Wake()
	p.Wake()
	if err := <-woken; err != nil {
		t.Error(err)
	}
}

// TestRefuse lets a socket refuse new connections while one that is queued is
// still there.
func TestRefuse(t *testing.T) {
	fd, addr := listen(t, Options{})
	defer Close(fd)
	if !IsTCP(fd) {
		t.Error("a TCP socket is none")
	}
	before, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	if err := Refuse(fd); err != nil {
		t.Fatal(err)
	}
	if c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond); err == nil {
		_ = c.Close()
		t.Error("a refusing socket was connected to")
	}
	var from Source
	conn, errno := Accept(fd, &from)
	if errno != 0 {
		t.Fatalf("the queued connection is gone: %v", errno)
	}
	defer Close(conn)
	// The filter is inherited; it must not stop what the connection sends.
	if _, err := io.WriteString(before, "x"); err != nil {
		t.Fatal(err)
	}
	p := newPoller(t)
	if err := p.Add(conn, Readable, 9); err != nil {
		t.Fatal(err)
	}
	wantEvent(t, p, Event{9, Readable})
}

func TestUnixSource(t *testing.T) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(fds[0])
	defer Close(fds[1])
	if IsTCP(fds[0]) {
		t.Error("a unix socket is TCP")
	}
	var from Source
	from.raw.Addr.Family = unix.AF_UNIX
	if from.Addr().IsValid() {
		t.Errorf("the source is %v", from.Addr())
	}
}
