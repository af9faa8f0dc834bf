package servertest

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop holds what a server still does when it is told to stop.
func (c Carrier) stop(t *testing.T) {
	t.Run("idle connections", c.stopIdle)
	t.Run("first request on its way", c.stopFirst)
	t.Run("accept queue", c.stopQueue)
	t.Run("unfinished business", c.stopUnfinished)
	t.Run("more work than time", c.stopBusy)
	t.Run("never run", c.neverRun)
	t.Run("refuses connections", c.stopRefuses)
}

func (c Carrier) stopIdle(t *testing.T) {
	s := c.start(t, c.config())
	var kept []net.Conn
	for range 10 {
		conn := s.dial()
		s.send(conn, get("/announce"))
		s.expect(conn, reply(echo))
		kept = append(kept, conn)
	}
	s.stop()
	s.ended()
	for _, conn := range kept {
		s.expectEnd(conn, "")
	}
	if st := s.Stats(); st.Open != 0 || value(t, st.Ended, "shutdown") != 10 {
		t.Errorf("after the stop: %+v", st)
	}
}

// stopFirst stops a server between a client's handshake and its first request,
// which must be answered. Without TLS both come in one.
func (c Carrier) stopFirst(t *testing.T) {
	if c.Wrap == nil {
		return
	}
	cfg := c.config()
	cfg.ShutdownTimeout = Patience
	s := c.start(t, cfg)
	var fresh []net.Conn
	for range 10 {
		conn := s.dial()
		if err := conn.(interface{ Handshake() error }).Handshake(); err != nil {
			t.Fatal(err)
		}
		fresh = append(fresh, conn)
	}
	kept := s.dial()
	s.send(kept, get("/announce"))
	s.expect(kept, reply(echo))
	s.send(fresh[0], "GET /ann")
	s.stop()
	s.expectEnd(kept, "") // it has come so far
	s.send(fresh[0], get("/announce")[len("GET /ann"):])
	s.expectEnd(fresh[0], closing(echo))
	for _, conn := range fresh[1:] {
		s.send(conn, get("/announce"))
		s.expectEnd(conn, closing(echo))
	}
	s.ended()
	if st := s.Stats(); st.Open != 0 || value(t, st.Ended, "served") != 10 {
		t.Errorf("after the stop: %+v", st)
	}
}

// stopQueue stops a server at the moment at which it starts: all that was sent
// before is in the kernel's queue, and must be answered.
func (c Carrier) stopQueue(t *testing.T) {
	if c.Wrap != nil {
		return // a TLS handshake needs a running server
	}
	s := c.open(t, c.config())
	var conns []net.Conn
	for range 100 {
		conn := s.dial()
		s.send(conn, get("/announce")+get("/announce?2")+"GET /anno")
		conns = append(conns, conn)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, conn := range conns {
		s.expectEnd(conn, reply(echo)+closing(echo+"2"))
	}
}

// stopUnfinished stops a server while clients dribble, or do not read.
func (c Carrier) stopUnfinished(t *testing.T) {
	cfg := c.config()
	cfg.ShutdownTimeout = 5 * brief
	s := c.start(t, cfg)
	s.dialRaw() // silent; the kernel may keep it to itself until its first byte, and then nobody tells it
	partial, deaf := s.dial(), s.dial()
	s.send(partial, get("/announce")+"GET /announce")
	s.expect(partial, reply(echo))
	s.send(deaf, get("/big?20000000"))
	s.expect(deaf, "HTTP/1.1 200 OK\r\n")
	begin := time.Now()
	s.stop()
	s.ended()
	if took := time.Since(begin); took > Patience/2 {
		t.Errorf("stopping took %v", took)
	}
	if open := s.Stats().Open; open != 0 {
		t.Errorf("%d connections are open after the stop", open)
	}
}

// stopBusy stops a server that has more to answer than it has time for.
func (c Carrier) stopBusy(t *testing.T) {
	const clients, requests = 50, 3
	cfg := c.config()
	cfg.ShutdownTimeout = 5 * brief
	s := c.start(t, cfg)
	var conns []net.Conn
	for range clients {
		conn := s.dial()
		s.send(conn, strings.Repeat(get("/slow"), requests))
		conns = append(conns, conn)
	}
	s.stop()
	s.ended()
	answered := 0
	for _, conn := range conns {
		if n, _ := conn.Read(make([]byte, 1)); n > 0 { // else it was closed, or reset
			answered++
		}
	}
	if answered == clients {
		t.Errorf("all %d clients were answered", clients)
	}
}

func (c Carrier) neverRun(t *testing.T) {
	s := c.open(t, c.config())
	addr := s.Addrs()[0].String()
	s.Close()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a closed server: %v, want a refusal", err)
	}
	if err := s.Run(context.Background()); err == nil {
		t.Error("Run after Close is no error")
	}
}

func (c Carrier) stopRefuses(t *testing.T) {
	s := c.start(t, c.config())
	addr := s.Addrs()[0].String()
	s.stop()
	s.ended()
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dialling a stopped server: %v, want a refusal", err)
	}
	// The address is free again at once.
	cfg := c.config()
	cfg.Listeners[0].Address = addr
	again := c.start(t, cfg)
	conn := again.dial()
	again.send(conn, get("/announce"))
	again.expect(conn, reply(echo))
}
