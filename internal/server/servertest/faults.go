package servertest

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"spate/internal/server"
)

// faults holds what becomes of connections whose client breaks off or does not
// follow the rules.
func (c Carrier) faults(t *testing.T) {
	t.Run("half-closed", c.halfClosed)
	t.Run("gone before its reply", c.goneBeforeReply)
	t.Run("reset", c.reset)
	t.Run("refused while sending", c.refusedWhileSending)
	t.Run("closed while sending", c.closedWhileSending)
	t.Run("ends", c.ends)
}

// expectGone waits for the end of a connection, by a FIN or a reset, without a
// byte before it.
func (s *Server) expectGone(conn io.Reader) {
	s.t.Helper()
	got, err := io.ReadAll(conn)
	if len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		s.t.Fatalf("read %q (%v), want nothing and the end", got, err)
	}
}

func (c Carrier) halfClosed(t *testing.T) {
	s := c.start(t, c.config())
	conn := s.dialRaw()
	s.send(conn, get("/announce?a")+get("/announce?b"))
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.expectEnd(conn, reply(echo+"a")+reply(echo+"b"))

	kept := s.dialRaw()
	s.send(kept, get("/announce?a"))
	s.expect(kept, reply(echo+"a"))
	s.send(kept, get("/announce?b"))
	if err := kept.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.expectEnd(kept, reply(echo+"b"))

	partial := s.dialRaw()
	s.send(partial, "GET /announce HTT")
	if err := partial.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	s.expectEnd(partial, "")
	s.awaitEnd("truncated", 1)
}

// goneBeforeReply: a stopped whose sender has gone already still counts.
func (c Carrier) goneBeforeReply(t *testing.T) {
	s := c.start(t, c.config())
	const n = 20
	for range n {
		conn := s.dialRaw()
		s.send(conn, get("/announce"))
		_ = conn.Close()
	}
	s.await("all requests handled", func(st server.Stats) bool { return value(t, st.Requests4, "handled") == n })
	s.await("no open connection", func(st server.Stats) bool { return st.Open == 0 })
}

// reset breaks connections off with a reset, at each step.
func (c Carrier) reset(t *testing.T) {
	s := c.start(t, c.config())
	steps := map[string]func(*net.TCPConn){
		"connected": func(*net.TCPConn) {},
		"partial":   func(conn *net.TCPConn) { s.send(conn, "GET /ann") },
		"sent":      func(conn *net.TCPConn) { s.send(conn, get("/announce")) },
		"answered": func(conn *net.TCPConn) {
			s.send(conn, get("/announce"))
			s.expect(conn, reply(echo))
		},
		"partial again": func(conn *net.TCPConn) {
			s.send(conn, get("/announce")+"GET ")
			s.expect(conn, reply(echo))
		},
		"reading": func(conn *net.TCPConn) {
			s.send(conn, get("/big?12000000"))
			s.expect(conn, "HTTP/1.1 200 OK\r\n")
		},
		"refused": func(conn *net.TCPConn) {
			s.send(conn, "\x00")
			s.expect(conn, refusal("400 Bad Request", ""))
		},
	}
	for range 5 {
		for _, step := range steps {
			conn := s.dialRaw()
			step(conn)
			_ = conn.SetLinger(0)
			_ = conn.Close()
		}
	}
	conn := s.dialRaw()
	s.send(conn, get("/announce", "Connection: close\r\n"))
	s.expectEnd(conn, closing(echo))
	s.await("no open connection", func(st server.Stats) bool { return st.Open == 0 && st.Accepted4 > 0 })
}

// refusedWhileSending: whoever is refused while still sending gets to read why.
func (c Carrier) refusedWhileSending(t *testing.T) {
	s := c.start(t, c.config())
	more := string(make([]byte, 40<<10))
	for _, test := range []struct{ send, want string }{
		{"POST /announce HTTP/1.1\r\n", refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n")},
		{"\x16\x03\x01", refusal("400 Bad Request", "")},
		{"GET /" + pad(8192) + " HTTP/1.1\r\n", refusal("414 URI Too Long", "")},
		{"GET / HTTP/1.1\r\nX: " + pad(8192) + "\r\n", refusal("431 Request Header Fields Too Large", "")},
	} {
		conn := s.dialRaw()
		s.send(conn, test.send)
		// Bytes that arrive after the verdict, before the reply is read.
		s.send(conn, more)
		s.send(conn, "end")
		s.expectEnd(conn, test.want)
	}
}

// closedWhileSending: bytes behind the last request do not destroy its reply.
func (c Carrier) closedWhileSending(t *testing.T) {
	s := c.start(t, c.config())
	for range 20 {
		conn := s.dialRaw()
		s.send(conn, get("/announce", "Connection: close\r\n")+pad(20<<10))
		s.expectEnd(conn, closing(echo))
	}
}

// pad returns n bytes of letters.
func pad(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'a'
	}
	return string(b)
}

// ends holds the reasons that are counted.
func (c Carrier) ends(t *testing.T) {
	s := c.start(t, c.config())
	conn := s.dialRaw()
	s.send(conn, get("/announce"))
	s.expect(conn, reply(echo))
	_ = conn.Close()
	s.awaitEnd("client", 1)

	conn = s.dialRaw()
	s.send(conn, get("/announce", "Connection: close\r\n"))
	s.expectEnd(conn, closing(echo))
	s.awaitEnd("served", 1)

	conn = s.dialRaw()
	s.send(conn, "\x00")
	s.expectEnd(conn, refusal("400 Bad Request", ""))
	_ = conn.Close()
	s.awaitEnd("refused", 1)
	s.await("no open connection", func(st server.Stats) bool { return st.Open == 0 })
}
