package server

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// TestStopAnswersKeptConnections: whoever asks on a kept connection after the stop has
// begun is answered, and told that it was the last time. Those that ask nothing end
// when their time is over.
func TestStopAnswersKeptConnections(t *testing.T) {
	for _, carrier := range []struct {
		name   string
		driver Driver
		secure bool
	}{
		{"loops", DriverAuto, false},
		{"goroutines", DriverGoroutine, false},
		{"TLS", DriverAuto, true},
	} {
		t.Run(carrier.name, func(t *testing.T) {
			cfg := Config{
				Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny, TLS: carrier.secure}},
				Driver:    carrier.driver, Workers: 2, KeepAlive: true, HeadTimeout: testHeadLimit, ShutdownTimeout: testPatience,
			}
			dial := net.Dial
			if carrier.secure {
				dir := t.TempDir()
				files := CertificateFiles{Chain: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
				writeTestPair(t, files, "localhost", time.Now(), true)
				cfg.Certificates = []CertificateFiles{files}
				dial = func(network, address string) (net.Conn, error) {
					return tls.Dial(network, address, &tls.Config{InsecureSkipVerify: true})
				}
			}
			stopWithKept(t, cfg, dial)
		})
	}
}

func stopWithKept(t *testing.T, cfg Config, dial func(network, address string) (net.Conn, error)) {
	s, err := New(cfg, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	drained, draining := make(chan time.Time), make(chan struct{})
	s.after = func(d time.Duration) <-chan time.Time {
		if d > drainTime(testPatience) {
			return time.After(d)
		}
		close(draining)
		return drained
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	var kept []net.Conn
	for range 10 {
		c, err := dial("tcp4", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		askKept(t, c)
		kept = append(kept, c)
	}

	cancel()
	<-draining
	asking, silent := kept[:7], kept[7:]
	for _, c := range asking {
		if _, err := io.WriteString(c, keepRequest); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); err != nil || string(got) != closeReply {
			t.Fatalf("after the stop has begun: %q (%v), want %q", got, err, closeReply)
		}
		_ = c.Close()
	}
	drained <- time.Time{}
	for _, c := range silent {
		if got, err := io.ReadAll(c); err != nil || len(got) > 0 {
			t.Errorf("a silent one: %q (%v), want its end", got, err)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	st := s.Stats()
	if st.Ended[endServed].Value != uint64(len(asking)) || st.Ended[endShutdown].Value != uint64(len(silent)) {
		t.Errorf("counted %+v", st.Ended)
	}
}

// TestWaitForgetsAnEmptyLook: a connection that comes during the stop has said nothing
// when it is looked at, and does then. For a handshake the bytes stay in the kernel.
func TestWaitForgetsAnEmptyLook(t *testing.T) {
	client, served := tcpPair(t)
	raw, err := served.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var leaving atomic.Bool
	leaving.Store(true)
	var silent []bool
	w := wire{
		Conn: served, raw: raw, pool: newBuffers(loop.NewBudget(1 << 20)), timeout: testPatience, leaving: &leaving, first: true,
		grace: func(s bool) time.Time { silent = append(silent, s); return time.Now().Add(testPatience) },
	}
	w.onReadable = w.receive
	if err := served.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	said := false
	err = w.await(func(fd uintptr) bool {
		if !said {
			said = true
			if _, err := io.WriteString(client, "hello"); err != nil {
				t.Error(err)
			}
		}
		return hasBytes(fd)
	})
	if err != nil || !said {
		t.Errorf("the wait ends with %v", err)
	}
	// A handshake that has begun may last longer than one that has not.
	w.busy = true
	if err := w.readUntil(time.Now().Add(2*testPatience), 0); err != nil {
		t.Fatal(err)
	}
	if len(silent) != 2 || !silent[0] || silent[1] {
		t.Errorf("it was taken for a silent one: %v, want true, then false", silent)
	}
}

// TestStopIsBriefForTheSilent: a new connection on which no byte has come is given up on
// soon, one that has begun its handshake or head then has as long as all others.
func TestStopIsBriefForTheSilent(t *testing.T) {
	s, err := New(Config{
		Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}}, Driver: DriverGoroutine, ShutdownTimeout: testPatience,
	}, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	d := s.drivers[0].(*goroutineDriver)
	_, served := tcpPair(t)
	c := conn{d: d, deadline: time.Now().Add(testHeadLimit)}
	c.wire = wire{Conn: served, pool: d.pool, leaving: &d.leaving, first: true, grace: d.grace}
	began := d.stopped()
	if err := c.tell(); err != nil {
		t.Fatal(err)
	}
	if got, want := c.until.Sub(began), silentTime(testPatience); got != want {
		t.Errorf("a silent one has %v, want %v", got, want)
	}
	if err := c.begun(); err != nil {
		t.Fatal(err)
	}
	if got, want := c.until.Sub(began), headTime(testPatience); got != want {
		t.Errorf("one that has begun has %v, want %v", got, want)
	}
}

// tcpPair returns both ends of a connection, until the end of the test.
func tcpPair(t *testing.T) (client, served *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", loopbackAny)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// A callingHandler calls before it answers.
type callingHandler struct{ call func() }

func (h callingHandler) Handle(_ time.Duration, _ netip.Addr, _, _, dst []byte) ([]byte, bool) {
	h.call()
	return append(dst, "answer"...), true
}

// TestStopTakesWhatIsQueued and no more: where nothing keeps new connections away, as
// many may come as are answered.
func TestStopTakesWhatIsQueued(t *testing.T) {
	const backlog, enough = 4, 3 * acceptBatch // a batch is taken whole
	const request = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + keepRequest
	path := filepath.Join(t.TempDir(), "s")
	come := 0
	comes := func() {
		if come == enough {
			return
		}
		come++
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(fd, []byte(request)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(Config{
		Listeners: []Listener{{Network: NetworkUnix, Address: path, Proxy: ProxyProtocol}}, Workers: 1, Backlog: backlog, KeepAlive: true,
		HeadTimeout: testHeadLimit, ShutdownTimeout: testPatience,
	}, func() Handler { return callingHandler{comes} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	l := loopsOf(s)[0]
	comes()
	s.rules.draining.Store(true)
	if err := l.enter(phaseDeaf); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Accepted4; got < backlog || got >= enough {
		t.Errorf("%d connections were taken at the stop, want about %d", got, backlog)
	}
}
