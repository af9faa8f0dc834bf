package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// newLotServer runs a server whose connections are carried by goroutines, and
// returns what stops it and waits for that.
func newLotServer(t *testing.T, cfg Config) (*Server, *goroutineDriver, func()) {
	t.Helper()
	cfg.Driver, cfg.KeepAlive, cfg.ShutdownTimeout = DriverGoroutine, true, testPatience
	cfg.HeadTimeout = testHeadLimit
	s, err := New(cfg, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return s, s.drivers[0].(*goroutineDriver), stop
}

// awaitLot waits until the lot holds so many connections.
func awaitLot(t *testing.T, l *lot, ok func(parked int) bool) {
	t.Helper()
	Await(t, "parking", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return ok(l.ids.Used())
	})
}

// askKept sends a request on a kept connection and reads its reply.
func askKept(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(testPatience))
	if _, err := io.WriteString(c, keepRequest); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(keepReply))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != keepReply {
		t.Fatalf("read %q: %v", got[:n], err)
	}
}

// TestLotTakesTheCrowd: more connections wait than may have a goroutine. The
// rest is parked, also such as have not asked yet, and all are answered.
func TestLotTakesTheCrowd(t *testing.T) {
	const extra = 8
	s, d, stop := newLotServer(t, Config{Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}}})
	var conns []net.Conn
	for i := range maxWaiting + extra {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
		if i%2 == 0 {
			askKept(t, c)
		}
	}
	awaitLot(t, d.lot, func(parked int) bool { return parked >= extra })
	if n := d.waiting.Load(); n > maxWaiting {
		t.Errorf("%d connections wait in goroutines", n)
	}
	for _, c := range conns {
		askKept(t, c)
	}
	awaitLot(t, d.lot, func(parked int) bool { return parked >= extra })
	stop()
	for _, c := range conns {
		if n, err := c.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("after the stop: %d bytes (%v)", n, err)
		}
	}
	st := s.Stats()
	if st.Open != 0 || st.Ended[endShutdown].Value != maxWaiting+extra {
		t.Errorf("after the stop: %+v", st)
	}
}

// newTLSLotServer is newLotServer over TLS; dial connects and asks once.
func newTLSLotServer(t *testing.T, idle time.Duration) (s *Server, d *goroutineDriver, stop func(), dial func() net.Conn) {
	t.Helper()
	dir := t.TempDir()
	files := CertificateFiles{Chain: filepath.Join(dir, "crt"), Key: filepath.Join(dir, "key")}
	writeTestPair(t, files, "localhost", time.Now(), true)
	s, d, stop = newLotServer(t, Config{
		Listeners:    []Listener{{Network: NetworkTCP4, Address: loopbackAny, TLS: true}},
		Certificates: []CertificateFiles{files}, IdleTimeout: idle,
	})
	return s, d, stop, func() net.Conn {
		t.Helper()
		c, err := tls.Dial("tcp", s.Addrs()[0].String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		askKept(t, c)
		return c
	}
}

// TestLotEndsInOrder: a parked connection over TLS is told of its end.
func TestLotEndsInOrder(t *testing.T) {
	s, _, _, dial := newTLSLotServer(t, time.Second)
	c := dial()
	// crypto/tls returns io.EOF only after a closing alert.
	if n, err := c.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		t.Errorf("at its deadline an idle connection read %d bytes (%v)", n, err)
	}
	Await(t, "the count", func() bool { return s.Stats().Ended[endIdle].Value == 1 })
}

// TestLotLosesNothing: a parked connection goes on when it is asked, and ends in
// order when the server stops with its request unread.
func TestLotLosesNothing(t *testing.T) {
	_, d, stop, dial := newTLSLotServer(t, testHeadLimit)
	c := dial()
	for range 2 {
		awaitLot(t, d.lot, func(parked int) bool { return parked == 1 })
		askKept(t, c)
	}
	awaitLot(t, d.lot, func(parked int) bool { return parked == 1 })
	if _, err := io.WriteString(c, keepRequest); err != nil {
		t.Fatal(err)
	}
	stop()
	// That closes, since the server stops.
	if got, err := io.ReadAll(c); err != nil || string(got) != closeReply && string(got) != keepReply {
		t.Errorf("after the stop: %q (%v)", got, err)
	}
}
