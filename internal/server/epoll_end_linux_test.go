package server

import (
	"io"
	"net"
	"testing"
	"time"
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
	var conns []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ask(t, c, l)
		conns = append(conns, c)
	}
	for i, request := range []string{"", keepRequest, "GET "} {
		if _, err := io.WriteString(conns[i], request); err != nil {
			t.Fatal(err)
		}
	}
	s.rules.draining.Store(true)
	l.drained(true)
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
