package server

import (
	"context"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// constantHandler answers every path.
type constantHandler struct{}

func (constantHandler) Handle(_ time.Duration, _ netip.Addr, path, _, dst []byte) ([]byte, bool) {
	if string(path) == "/panic" {
		panic("asked for")
	}
	return append(dst, "d8:intervali1800e5:peers0:e"...), true
}

const (
	keepRequest   = "GET /announce HTTP/1.1\r\nHost: a\r\n\r\n"
	keepReply     = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e"
	closeRequest  = "GET /announce HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	closeReply    = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e"
	testPatience  = time.Minute
	loopbackAny   = "127.0.0.1:0"
	testHeadLimit = time.Hour
)

// newTestServer makes a server of event loops that does not run.
func newTestServer(t testing.TB, workers int, listeners ...Listener) *Server {
	t.Helper()
	if len(listeners) == 0 {
		listeners = []Listener{{Network: NetworkTCP4, Address: loopbackAny}}
	}
	s, err := New(Config{
		Listeners: listeners, Workers: workers, KeepAlive: true, HeadTimeout: testHeadLimit,
		ShutdownTimeout: testPatience,
	}, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// runTestServer lets it run until the end of the test.
func runTestServer(t testing.TB, s *Server) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func loopsOf(s *Server) []*epollLoop { return s.drivers[0].(*epollDriver).loops }

// step lets a loop that does not run do one wake-up.
func step(t *testing.T, l *epollLoop) {
	t.Helper()
	events, err := l.wait()
	if err != nil {
		t.Fatal(err)
	}
	l.takeIn()
	if err := l.handleAll(events); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request and lets l answer it.
func ask(t *testing.T, c net.Conn, l *epollLoop) {
	t.Helper()
	if _, err := io.WriteString(c, keepRequest); err != nil {
		t.Fatal(err)
	}
	step(t, l)
	got := make([]byte, len(keepReply))
	_ = c.SetReadDeadline(time.Now().Add(testPatience))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != keepReply {
		t.Fatalf("read %q: %v", got[:n], err)
	}
}

// connect connects a client to l's server until the end of the test.
func connect(t *testing.T, l *epollLoop) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.d.s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// askAll connects n clients until the end of the test, which each ask l once and stay.
func askAll(t *testing.T, l *epollLoop, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		c := connect(t, l)
		ask(t, c, l)
		conns = append(conns, c)
	}
	return conns
}

// beginHeads connects n clients until the end of the test, which each send the start of
// a head to l.
func beginHeads(t *testing.T, l *epollLoop, n int) {
	t.Helper()
	for range n {
		c := connect(t, l)
		if _, err := io.WriteString(c, "GET /"); err != nil {
			t.Fatal(err)
		}
		step(t, l)
	}
}

func TestRecordIsSmallAndWithoutPointers(t *testing.T) {
	// With 16 bytes of the wheel an idle connection costs 64.
	if size := unsafe.Sizeof(record{}); size > 48 {
		t.Errorf("a record has %d bytes", size)
	}
	typ := reflect.TypeFor[record]()
	for i := range typ.NumField() {
		switch f := typ.Field(i); f.Type.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.String, reflect.Map, reflect.Interface, reflect.Struct:
			t.Errorf("field %s may hold a pointer", f.Name)
		}
	}
}

// TestHandOver moves a kept connection from one loop to the other.
func TestHandOver(t *testing.T) {
	passed, err := net.Listen("tcp", loopbackAny)
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	file, err := passed.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The loops share this socket, so either can accept.
	s := newTestServer(t, 2, Listener{Network: NetworkInherited, File: file})
	from, to := loopsOf(s)[0], loopsOf(s)[1]
	c, err := net.Dial("tcp", passed.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask(t, c, from)
	from.giveAway, from.to = 1, to
	ask(t, c, from)
	if from.ids.Used() != 0 || from.giveAway != 0 {
		t.Errorf("the giver has %d connections and gives %d more", from.ids.Used(), from.giveAway)
	}
	step(t, to)
	if to.ids.Used() != 1 || to.wheel.Len() != 1 || from.wheel.Len() != 0 {
		t.Errorf("the taker has %d connections and %d deadlines, the giver %d", to.ids.Used(), to.wheel.Len(), from.wheel.Len())
	}
	ask(t, c, to)
	if n := s.Stats().Requests4[outcomeHandled].Value; n != 3 {
		t.Errorf("%d requests were handled, want 3", n)
	}
	if open := s.Stats().Open; open != 1 {
		t.Errorf("%d connections are open, want 1", open)
	}
}

func TestBalance(t *testing.T) {
	s := newTestServer(t, 3)
	loops := loopsOf(s)
	l := loops[0]
	for name, test := range map[string]struct {
		slept  time.Duration // of the 100 ms
		active int
		others [2]uint32
		phase  phase
		give   int
		to     *epollLoop
	}{
		"not saturated":         {slept: 20 * time.Millisecond, active: 100},
		"a pool of sixteen":     {active: 16, others: [2]uint32{500, 0}, give: 4, to: loops[2]},
		"two":                   {active: 2, others: [2]uint32{500, 600}, give: 1, to: loops[1]},
		"one cannot be shared":  {active: 1},
		"all have enough to do": {active: 1000, others: [2]uint32{800, 950}},
		"a thousand":            {active: 1000, others: [2]uint32{600, 900}, give: 100, to: loops[1]},
		"stopping":              {active: 16, phase: phaseDraining},
	} {
		t.Run(name, func(t *testing.T) {
			l.now, l.windowStart = 2*balanceWindow, balanceWindow
			l.slept, l.active, l.phase, l.giveAway, l.to = test.slept, test.active, test.phase, 9, nil
			loops[1].busy.Store(test.others[0])
			loops[2].busy.Store(test.others[1])
			l.balance()
			if l.giveAway != test.give || l.to != test.to {
				t.Errorf("gives %d to %p, want %d to %p", l.giveAway, l.to, test.give, test.to)
			}
		})
	}
}

// TestHeldMemoryIsBounded closes partial heads that there is no memory for.
func TestHeldMemoryIsBounded(t *testing.T) {
	s := newTestServer(t, 1)
	l := loopsOf(s)[0]
	budget := loop.NewBudget(2 << 10)
	l.buffers = loop.NewBuffers(budget)
	beginHeads(t, l, 10)
	if n, lent := l.ids.Used(), budget.Lent(); n != 3 || lent != 3<<10 {
		t.Errorf("%d connections hold %d bytes", n, lent)
	}
	if n := s.Stats().Ended[endLimit].Value; n != 7 {
		t.Errorf("%d connections were closed for a limit, want 7", n)
	}
	l.endAll(func(*record) bool { return true })
	if budget.Lent() != 0 || l.heldIDs.Used() != 0 || l.wheel.Len() != 0 {
		t.Errorf("after the end %d bytes are lent in %d places, with %d deadlines", budget.Lent(), l.heldIDs.Used(), l.wheel.Len())
	}
}

// TestPanicEndsRun: a loop that fails is never a silent dead core.
func TestPanicEndsRun(t *testing.T) {
	s := newTestServer(t, 2)
	done := make(chan error, 1)
	go func() { done <- s.Run(context.Background()) }()
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, strings.Replace(keepRequest, "announce", "panic", 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "panic: asked for") {
		t.Errorf("Run returned %v", err)
	}
}

// blockingClient is a client without the Go runtime's poller, and so without
// its allocations.
type blockingClient struct {
	to  unix.SockaddrInet4
	buf [1024]byte
}

func newBlockingClient(s *Server) *blockingClient {
	a := s.Addrs()[0].(*net.TCPAddr)
	return &blockingClient{to: unix.SockaddrInet4{Port: a.Port, Addr: [4]byte(a.IP.To4())}}
}

func (c *blockingClient) dial(t testing.TB) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &c.to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// exchange sends a request and reads a reply.
func (c *blockingClient) exchange(t testing.TB, fd int, request []byte, want string) {
	if _, err := unix.Write(fd, request); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(want); {
		k, err := unix.Read(fd, c.buf[n:])
		if n += k; (err != nil && err != unix.EINTR) || (k == 0 && err == nil) || n == len(want) && string(c.buf[:n]) != want {
			t.Fatalf("read %q: %v", c.buf[:n], err)
		}
	}
}

// TestFINRidesInTheReply counts the segments that a client gets: the SYN-ACK,
// and the reply with its acknowledgement and FIN. A slow machine may need more
// for some connections, but not for all.
func TestFINRidesInTheReply(t *testing.T) {
	s := newTestServer(t, 1)
	runTestServer(t, s)
	c := newBlockingClient(s)
	least := ^uint32(0)
	for range 50 {
		fd := c.dial(t)
		c.exchange(t, fd, []byte(closeRequest), closeReply)
		if n, err := unix.Read(fd, c.buf[:]); n != 0 || err != nil {
			t.Fatalf("after the reply: %d bytes, %v", n, err)
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, info.Segs_in)
		_ = unix.Close(fd)
	}
	if least != 2 {
		t.Errorf("a client gets at least %d segments, want 2", least)
	}
}

// TestHeartbeat lets an idle loop wake up by itself.
func TestHeartbeat(t *testing.T) {
	s := newTestServer(t, 2)
	before := s.Stats().Loops
	if len(before) != 2 {
		t.Fatalf("%d loops, want 2", len(before))
	}
	step(t, loopsOf(s)[1])
	after := s.Stats().Loops
	if d := after[1].Woken - before[1].Woken; d <= 0 || after[0] != before[0] {
		t.Errorf("from %v to %v", before, after)
	}
}

// TestLoopsSayWhatConnectionsWaitFor: a partial head, another request, the end
// of what a refused sender sends.
func TestLoopsSayWhatConnectionsWaitFor(t *testing.T) {
	s := newTestServer(t, 1)
	runTestServer(t, s)
	c := newBlockingClient(s)
	idle, head, refused := c.dial(t), c.dial(t), c.dial(t)
	for fd, request := range map[int]string{idle: keepRequest, head: keepRequest[:10], refused: "GET /\r\n\r\n"} {
		if _, err := unix.Write(fd, []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	is := func(want LoopStats) {
		t.Helper()
		var got LoopStats
		for deadline := time.Now().Add(testPatience); time.Now().Before(deadline); {
			loopsOf(s)[0].poller.Wake() // it publishes at each wake-up
			got = s.Stats().Loops[0]
			got.Woken, got.Busy = 0, 0
			if got == want {
				return
			}
		}
		t.Errorf("got %+v, want %+v", got, want)
	}
	is(LoopStats{Head: 1, Idle: 1, Lingering: 1})
	for _, fd := range []int{idle, head, refused} {
		_ = unix.Close(fd)
	}
	is(LoopStats{})
}

func benchmarkLoop(b *testing.B, request, want string, kept bool) {
	s := newTestServer(b, 1)
	runTestServer(b, s)
	c := newBlockingClient(s)
	fd := c.dial(b)
	b.ReportAllocs()
	for b.Loop() {
		c.exchange(b, fd, []byte(request), want)
		if !kept {
			_ = unix.Close(fd)
			fd = c.dial(b)
		}
	}
	_ = unix.Close(fd)
}

func BenchmarkLoopClose(b *testing.B) { benchmarkLoop(b, closeRequest, closeReply, false) }
func BenchmarkLoopKept(b *testing.B)  { benchmarkLoop(b, keepRequest, keepReply, true) }
