package server

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// TestEndWithRequest lets a kept connection's last request and its end arrive
// together. Both make one event.
func TestEndWithRequest(t *testing.T) {
	s := newTestServer(t, 1)
	l := loopsOf(s)[0]
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask(t, c, l)
	if _, err := io.WriteString(c, keepRequest); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		step(t, l)
	}
	_ = c.SetReadDeadline(time.Now().Add(testPatience))
	if got, err := io.ReadAll(c); err != nil || string(got) != keepReply {
		t.Errorf("read %q: %v", got, err)
	}
	if st := s.Stats(); l.ids.Used() != 0 || st.Open != 0 || st.Ended[endClient].Value != 1 {
		t.Errorf("%d connections are registered, %+v", l.ids.Used(), st)
	}
}

// TestSweepAnswers lets requests come that the poller has not told of when idle
// connections are closed for the stop.
func TestSweepAnswers(t *testing.T) {
	s := newTestServer(t, 1)
	l := loopsOf(s)[0]
	conns := askAll(t, l, 3)
	for i, request := range []string{"", keepRequest, "GET "} {
		if _, err := io.WriteString(conns[i], request); err != nil {
			t.Fatal(err)
		}
	}
	s.rules.draining.Store(true)
	l.endIdleOnes()
	for i, want := range []string{"", closeReply} {
		_ = conns[i].SetReadDeadline(time.Now().Add(testPatience))
		got := make([]byte, len(want)+1)
		if n, err := io.ReadFull(conns[i], got); string(got[:n]) != want || err == nil {
			t.Errorf("connection %d read %q (%v), want %q and the end", i, got[:n], err, want)
		}
		_ = conns[i].Close()
	}
	step(t, l)
	if l.ids.Used() != 1 {
		t.Errorf("%d connections are open, want that with a partial head", l.ids.Used())
	}
}

// TestStopLetsNewConnectionsAsk: whoever connected just before the stop is still
// answered, and ends soon when it does not ask.
func TestStopLetsNewConnectionsAsk(t *testing.T) {
	const proxyHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
	s := newTestServer(t, 1, Listener{Network: NetworkUnix, Address: filepath.Join(t.TempDir(), "s"), Proxy: ProxyProtocol})
	l := loopsOf(s)[0]
	var conns []net.Conn
	send := func(to net.Conn, what string) {
		t.Helper()
		if _, err := io.WriteString(to, what); err != nil {
			t.Fatal(err)
		}
		step(t, l)
	}
	for range 3 { // the last one comes during the stop
		if len(conns) == 2 {
			s.rules.draining.Store(true)
			if err := l.enter(phaseDraining); err != nil || l.ids.Used() != 2 {
				t.Fatalf("%d connections are left (%v), want 2", l.ids.Used(), err)
			}
		}
		c, err := net.Dial("unix", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		step(t, l)
		conns = append(conns, c)
		if len(conns) == 1 {
			send(c, proxyHeader)
		}
	}
	// One proxy has said for whom it speaks before the stop, the other one now.
	for i, request := range []string{keepRequest, proxyHeader + keepRequest} {
		c := conns[2*i]
		send(c, request)
		_ = c.SetReadDeadline(time.Now().Add(testPatience))
		if got, err := io.ReadAll(c); err != nil || string(got) != closeReply {
			t.Errorf("connection %d read %q: %v, want %q", 2*i, got, err, closeReply)
		}
		_ = c.Close()
		step(t, l)
	}

	l.now += drainLimit + loop.Tick
	l.expireDue()
	if st := s.Stats(); l.ids.Used() != 0 || st.Ended[endShutdown].Value != 1 {
		t.Errorf("%d connections are left, %+v", l.ids.Used(), st.Ended)
	}
}

// TestDrainOutlastsAHandshake: a client whose first packet came just before the stop
// sends its request a round trip later, which may lead around half the world.
func TestDrainOutlastsAHandshake(t *testing.T) {
	const farthest = 300 * time.Millisecond
	if got := phaseEnd(phaseDraining, 5*time.Second); got < farthest {
		t.Errorf("connections arrive for %v, and would be reset by then", got)
	}
	if got := phaseEnd(phaseDraining, time.Second); got > 250*time.Millisecond {
		t.Errorf("%v of one second go by without a reply being hurried", got)
	}
}

// TestDeadlinesTakeTurns: a crowd whose deadlines pass together does not keep
// others waiting, and does not wait itself.
func TestDeadlinesTakeTurns(t *testing.T) {
	s := newTestServer(t, 1)
	l := loopsOf(s)[0]
	const crowd = expireBatch + 10
	beginHeads(t, l, crowd)
	l.now += 2 * testHeadLimit
	for _, left := range []int{10, 0} {
		l.expireDue()
		if n := l.ids.Used(); n != left {
			t.Fatalf("%d connections are left, want %d", n, left)
		}
		if d := l.maySleep(l.now); (d == 0) != (left > 0) {
			t.Errorf("the loop may sleep for %v with %d connections overdue", d, left)
		}
	}
}

// TestLoopBeatsBeforeItsFirstWait: a loop that does not come back from it would
// otherwise count as one that was never started.
func TestLoopBeatsBeforeItsFirstWait(t *testing.T) {
	var s *Server
	var woken []time.Duration // each time that the loop looks at the clock
	clock := func() time.Duration {
		if s != nil {
			woken = append(woken, s.Stats().Loops[0].Woken)
		}
		return time.Second
	}
	made, err := New(Config{
		Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}}, Workers: 1, HeadTimeout: testHeadLimit,
		ShutdownTimeout: testPatience, Clock: clock,
	}, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer made.Close()
	s = made
	l := loopsOf(s)[0]
	l.d.phase.Store(uint32(phaseAbandoned)) // so that it ends after its first wait,
	l.poller.Wake()                         // which is over at once
	if err := l.run(); err != nil {
		t.Fatal(err)
	}
	// The first look is for the beat, the second one for how long to wait.
	if len(woken) < 2 || woken[0] != 0 || woken[1] != time.Second {
		t.Errorf("before its first wait the loop says that it woke at %v", woken)
	}
}

// TestNewConnectionsHaveTheirTurn: more connections end at once than a wake-up takes
// events, and somebody comes after them.
func TestNewConnectionsHaveTheirTurn(t *testing.T) {
	s := newTestServer(t, 1)
	l := loopsOf(s)[0]
	conns := askAll(t, l, 2*loop.EventBatch)
	// The poller has to learn that nobody else comes, or it asks the listener first.
	if events, err := l.poller.Wait(0); err != nil || len(events) != 0 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for _, c := range conns {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	client := newBlockingClient(s)
	late := client.dial(t)
	defer unix.Close(late)
	if _, err := unix.Write(late, []byte(closeRequest)); err != nil {
		t.Fatal(err)
	}
	step(t, l)
	n, _, err := unix.Recvfrom(late, client.buf[:], unix.MSG_DONTWAIT)
	if err != nil || string(client.buf[:n]) != closeReply {
		t.Errorf("after one wake-up it has %q, %v", client.buf[:max(n, 0)], err)
	}
	if got, want := l.ids.Used(), len(conns)-loop.EventBatch; got != want {
		t.Errorf("%d connections are left, want %d", got, want)
	}
}

// TestRestBeginsWhenAcceptingFailed: not when the loop woke up, which may be longer ago
// than the rest is long.
func TestRestBeginsWhenAcceptingFailed(t *testing.T) {
	const now = time.Second
	s, err := New(Config{
		Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}}, Workers: 1, HeadTimeout: testHeadLimit,
		ShutdownTimeout: testPatience, Clock: func() time.Duration { return now },
	}, func() Handler { return constantHandler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := loopsOf(s)[0]
	l.now = now - time.Minute
	if err := l.rest(acceptRetry); err != nil {
		t.Fatal(err)
	}
	if want := now + acceptRetry; l.pausedUntil != want {
		t.Errorf("accepting rests until %v, want %v", l.pausedUntil, want)
	}
}
