package servertest

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"spate/internal/server"
)

// brief is a timeout that a test waits for.
const brief = 100 * time.Millisecond

// deadlines holds when a connection ends whose client does nothing, or little.
func (c Carrier) deadlines(t *testing.T) {
	t.Run("idle", c.idle)
	t.Run("silent from the start", c.silent)
	t.Run("head", c.slowHead)
	t.Run("head of a kept connection", c.slowLaterHead)
	t.Run("heads that overlap", c.overlappingHeads)
	t.Run("kept past the head's deadline", c.keptLonger)
	t.Run("kept for a while", c.keptForAWhile)
	t.Run("write", c.slowReader)
}

func (c Carrier) idle(t *testing.T) {
	cfg := c.config()
	cfg.IdleTimeout = brief
	s := c.start(t, cfg)
	conn := s.dial()
	s.send(conn, get("/announce"))
	s.expectEnd(conn, reply(echo))
	s.awaitEnd("idle", 1)
}

func (c Carrier) silent(t *testing.T) {
	cfg := c.config()
	cfg.HeadTimeout = brief
	s := c.start(t, cfg)
	s.expectEnd(s.dialRaw(), "")
}

// slowHead sends a head so slowly that each byte is in time and the whole is
// not.
func (c Carrier) slowHead(t *testing.T) {
	c.withHeadTimeout(t, func(s *Server) bool {
		s.dribble(s.dial())
		return s.endedBy("head_timeout")
	})
}

func (c Carrier) slowLaterHead(t *testing.T) {
	c.withHeadTimeout(t, func(s *Server) bool {
		conn := s.dial()
		if !s.answers(conn) {
			return false
		}
		s.dribble(conn)
		return s.endedBy("head_timeout")
	})
}

// overlappingHeads sends requests so that half of one is always there: each head has
// a deadline of its own.
func (c Carrier) overlappingHeads(t *testing.T) {
	c.withHeadTimeout(t, func(s *Server) bool {
		request := get("/announce")
		begin, end := request[:len(request)/2], request[len(request)/2:]
		conn := s.dial()
		if !s.completes(conn, request+begin) {
			return false
		}
		later := s.dialRaw() // ends after the deadline of the first head that was begun
		for {
			if !s.completes(conn, end+begin) {
				return false
			}
			_ = later.SetReadDeadline(time.Now().Add(brief / 20))
			if _, err := later.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				return s.completes(conn, end)
			}
		}
	})
}

// withHeadTimeout runs a test against servers with ever longer timeouts for
// heads, until it does not report any more that the machine was too busy for
// one. The first head's timeout includes the TLS handshake.
func (c Carrier) withHeadTimeout(t *testing.T, try func(*Server) (inTime bool)) {
	cfg := c.config()
	for cfg.HeadTimeout = brief; cfg.HeadTimeout < Patience; cfg.HeadTimeout *= 3 {
		s := c.start(t, cfg)
		inTime := try(s)
		s.stop()
		s.ended()
		if inTime {
			return
		}
	}
	t.Fatalf("no head is in time, whatever the timeout")
}

// answers asks once, and reports whether the connection lasted until the
// answer.
func (s *Server) answers(conn net.Conn) bool {
	s.t.Helper()
	return s.completes(conn, get("/announce"))
}

// completes sends the end of a request, with whatever is behind it, and reports
// whether the connection lasted until the answer.
func (s *Server) completes(conn net.Conn, text string) bool {
	s.t.Helper()
	want := reply(echo)
	got := make([]byte, len(want))
	if _, err := io.WriteString(conn, text); err != nil {
		return false
	}
	n, err := io.ReadFull(conn, got)
	if err == nil && string(got) != want || err != nil && n > 0 {
		s.t.Fatalf("read %q (%v)\nwant %q", got[:n], err, want)
	}
	return err == nil
}

// endedBy waits until the only connection has ended, and reports whether that
// was for a reason; the other one that may be is that the TLS handshake took
// too long.
func (s *Server) endedBy(reason string) bool {
	s.t.Helper()
	s.await("the end of a connection", func(st server.Stats) bool { return st.Accepted4 == 1 && st.Open == 0 })
	st := s.Stats()
	if value(s.t, st.Ended, reason) == 1 {
		return true
	}
	if value(s.t, st.Handshakes, "timeout") != 1 {
		s.t.Fatalf("the connection did not end as %s: %+v", reason, st)
	}
	return false
}

// dribble sends one byte of a head after the other until the server ends the
// connection, without an answer. Reading with a deadline sets the pace.
func (s *Server) dribble(conn net.Conn) {
	s.t.Helper()
	head := []byte("GET /announce?" + string(make([]byte, 6000)))
	for i := range head {
		if head[i] == 0 {
			head[i] = 'a'
		}
		if _, err := conn.Write(head[i : i+1]); err != nil {
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(brief / 20))
		n, err := conn.Read(make([]byte, 1))
		if n > 0 {
			s.t.Fatal("half a head was answered")
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
	s.t.Fatal("a head that dribbles was never given up")
}

// keptLonger shows that the head's deadline does not run between requests.
func (c Carrier) keptLonger(t *testing.T) {
	c.withHeadTimeout(t, func(s *Server) bool {
		silent, kept := s.dialRaw(), s.dial()
		if !s.answers(kept) {
			return false
		}
		later := s.dialRaw()
		s.expectEnd(silent, "")
		s.expectEnd(later, "") // it was accepted after the reply, so the deadline would have passed
		s.send(kept, get("/announce"))
		s.expect(kept, reply(echo))
		return true
	})
}

// keptForAWhile sends requests with pauses between them.
func (c Carrier) keptForAWhile(t *testing.T) {
	cfg := c.config()
	cfg.IdleTimeout = 100 * brief
	s := c.start(t, cfg)
	conn := s.dialRaw()
	wrapped := net.Conn(conn)
	if c.Wrap != nil {
		wrapped = c.Wrap(conn)
	}
	// A driver may put a connection aside after an eighth of that.
	for _, pause := range []time.Duration{cfg.IdleTimeout / 7, brief} {
		s.send(wrapped, "GET /announce HT")
		s.send(wrapped, "TP/1.1\r\n\r\n")
		s.expect(wrapped, reply(echo))
		// Nothing must come: reading with a deadline makes the pause.
		_ = conn.SetReadDeadline(time.Now().Add(pause))
		if n, err := wrapped.Read(make([]byte, 1)); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("an idle connection read %d bytes (%v)", n, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(Patience))
	}
	s.send(wrapped, get("/announce", "Connection: close\r\n"))
	s.expectEnd(wrapped, closing(echo))
}

// slowReader asks for more than sockets hold, and takes none of it.
func (c Carrier) slowReader(t *testing.T) {
	cfg := c.config()
	cfg.WriteTimeout = brief
	s := c.start(t, cfg)
	conn := s.dialRaw()
	_ = conn.SetReadBuffer(4096)
	wrapped := net.Conn(conn)
	if c.Wrap != nil {
		wrapped = c.Wrap(conn)
	}
	s.send(wrapped, get("/big?20000000"))
	s.awaitEnd("write_timeout", 1)
	s.await("no open connection", func(st server.Stats) bool { return st.Open == 0 })
}
