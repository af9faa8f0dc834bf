package server

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// newFullServer is newTestServer with room for as many connections, all of which l has.
func newFullServer(t *testing.T, most int) (*Server, *epollLoop) {
	t.Helper()
	s := newTestServer(t, 1)
	if err := s.SetLimits(Limits{MaxConnections: most}); err != nil {
		t.Fatal(err)
	}
	return s, loopsOf(s)[0]
}

// expectGone reads the end of a connection, however it comes.
func expectGone(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(testPatience))
	if n, err := c.Read(make([]byte, 1)); n > 0 || isTimeout(err) {
		t.Errorf("read %d bytes (%v), want the end", n, err)
	}
}

// TestIdleConnectionsGiveWay: as many connections are open as may be. One that waits for
// another request makes room for who comes, and none that has one.
func TestIdleConnectionsGiveWay(t *testing.T) {
	s, l := newFullServer(t, 2)
	idle := askAll(t, l, 2)
	if _, err := io.WriteString(idle[0], keepRequest); err != nil {
		t.Fatal(err)
	}
	late := connect(t, l)
	if _, err := io.WriteString(late, keepRequest); err != nil {
		t.Fatal(err)
	}
	l.looked = 1 // the one without a request, whatever the poller tells of first
	for s.Stats().Accepted4 < 3 {
		step(t, l)
	}
	step(t, l)
	for _, c := range []net.Conn{idle[0], late} {
		got := make([]byte, len(keepReply))
		_ = c.SetReadDeadline(time.Now().Add(testPatience))
		if n, err := io.ReadFull(c, got); err != nil || string(got) != keepReply {
			t.Errorf("read %q: %v", got[:n], err)
		}
	}
	expectGone(t, idle[1])
	st := s.Stats()
	if st.Open != 2 || st.Ended[endLimit].Value != 1 || refusedBy(s.rules.limits, refusalConnections) != 0 {
		t.Errorf("counted %+v", st)
	}
}

// TestGivingWayLooksOnceMore: a request may have come that the poller has not told of.
func TestGivingWayLooksOnceMore(t *testing.T) {
	_, l := newFullServer(t, 2)
	conns := askAll(t, l, 2)
	if _, err := io.WriteString(conns[0], keepRequest); err != nil {
		t.Fatal(err)
	}
	if !l.giveWay() || l.ids.Used() != 1 {
		t.Errorf("%d connections are left, want 1", l.ids.Used())
	}
	got := make([]byte, len(keepReply))
	_ = conns[0].SetReadDeadline(time.Now().Add(testPatience))
	if n, err := io.ReadFull(conns[0], got); err != nil || string(got) != keepReply {
		t.Errorf("read %q: %v", got[:n], err)
	}
	ask(t, conns[0], l)
	expectGone(t, conns[1])
}

// TestSlowHeadsGiveWay, and those that have just begun do not.
func TestSlowHeadsGiveWay(t *testing.T) {
	s, l := newFullServer(t, 1)
	beginHeads(t, l, 1)
	begun := func(before time.Duration) {
		l.wheel.Cancel(0)
		l.wheel.Set(0, l.now+testHeadLimit-before)
	}
	begun(roomPatience / 2)
	early := connect(t, l)
	if _, err := io.WriteString(early, keepRequest); err != nil {
		t.Fatal(err)
	}
	step(t, l)
	expectGone(t, early)
	if n := refusedBy(s.rules.limits, refusalConnections); n != 1 {
		t.Errorf("%d refusals, want 1", n)
	}
	slow := l.records.At(0).generation
	begun(2 * roomPatience)
	ask(t, connect(t, l), l)
	if n := refusedBy(s.rules.limits, refusalConnections); n != 1 || l.records.At(0).generation == slow {
		t.Errorf("%d refusals, want 1 as before", n)
	}
}

// TestParkedConnectionsGiveWay: so it is with those of the goroutine driver.
func TestParkedConnectionsGiveWay(t *testing.T) {
	s, d, _ := newLotServer(t, Config{
		Listeners: []Listener{{Network: NetworkTCP4, Address: loopbackAny}},
		Limits:    Limits{MaxConnections: 1},
	})
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	idle := dial()
	askKept(t, idle)
	awaitLot(t, d.lot, func(parked int) bool { return parked == 1 })
	askKept(t, dial())
	expectGone(t, idle)
	if st := s.Stats(); st.Ended[endLimit].Value != 1 || refusedBy(s.rules.limits, refusalConnections) != 0 {
		t.Errorf("counted %+v", st)
	}
}

// TestOtherDriversAskLoops: where only loops have a connection that waits, they are asked.
func TestOtherDriversAskLoops(t *testing.T) {
	s := newTestServer(t, 2)
	runTestServer(t, s)
	c, err := net.Dial("tcp", s.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	askKept(t, c)
	s.drivers[0].(*epollDriver).makeRoom()
	expectGone(t, c)
	Await(t, "the count", func() bool { return s.Stats().Ended[endLimit].Value == 1 })
}

// TestGivingWayAnswersFirst: a request may have been received that is yet to be answered,
// with others of its batch.
func TestGivingWayAnswersFirst(t *testing.T) {
	_, l := newFullServer(t, 1)
	c := askAll(t, l, 1)[0]
	if _, err := io.WriteString(c, keepRequest); err != nil {
		t.Fatal(err)
	}
	l.receive(0, false)
	if l.pending != 1 || !l.giveWay() || l.pending != 0 {
		t.Errorf("%d requests are pending", l.pending)
	}
	got := make([]byte, len(keepReply))
	_ = c.SetReadDeadline(time.Now().Add(testPatience))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != keepReply {
		t.Errorf("read %q: %v", got[:n], err)
	}
	expectGone(t, c)
}

// TestLimitedAddressPushesNobodyOut: who is over its own limit is refused before any
// connection of others is given up.
func TestLimitedAddressPushesNobodyOut(t *testing.T) {
	l := mustLimiter(t, Limits{MaxConnections: 2, AddressConnections: 1})
	one, other, third := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("203.0.113.3")
	asked := 0
	room := func() { asked++ }
	if l.admit(0, one, room) != refusalNone || l.admit(0, other, room) != refusalNone || asked != 0 {
		t.Fatal("refused below the limits")
	}
	if why := l.admit(0, one, room); why != refusalAddress || asked != 0 {
		t.Errorf("refusal %d after %d attempts to make room", why, asked)
	}
	if why := l.admit(0, third, room); why != refusalConnections || asked != 1 {
		t.Errorf("refusal %d after %d attempts to make room, want one", why, asked)
	}
	// What was refused does not count for its address.
	if why := l.admit(0, third, func() { l.release(other) }); why != refusalNone {
		t.Errorf("refusal %d with room that was made", why)
	}
	l.release(one)
	if why := l.admit(0, other, room); why != refusalNone || asked != 1 {
		t.Errorf("refusal %d with room, after %d attempts to make some", why, asked)
	}
}
