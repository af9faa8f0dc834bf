// Package servertest is the conformance suite of server's drivers. What a
// client sees must not depend on which of them carries its connection, so the
// same tests run on each, byte for byte and over real sockets.
//
// Nothing in it waits by the clock: a test waits for bytes, for the end of a
// connection or for a counter, and only gives up after Patience.
package servertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"spate/internal/server"
)

// Patience is how long a test waits for something that must happen. Under the
// race detector a head that comes in 8192 TLS records takes a busy machine
// more than 20 s.
const Patience = time.Minute

// A Carrier is a driver under test.
type Carrier struct {
	// Prepare changes a configuration so that the driver carries its
	// listeners.
	Prepare func(*server.Config)
	// Wrap makes the client's side of whatever lies between TCP and HTTP.
	// Nil is nothing: plain HTTP. Tests that look below HTTP need that.
	Wrap func(net.Conn) net.Conn
}

// Run runs the whole suite on a driver.
func Run(t *testing.T, c Carrier) {
	t.Run("replies", c.replies)
	t.Run("connections", c.connections)
	t.Run("proxies", c.proxies)
	t.Run("deadlines", c.deadlines)
	t.Run("stop", c.stop)
	if c.Wrap == nil {
		t.Run("faults", c.faults)
		t.Run("descriptors", c.descriptors)
	}
}

// Handler is the Handler of the suite. It answers paths below /announce with
// the client's address, the path and the query, /big with as many bytes as its
// query says, and /slow after a while.
type Handler struct{}

// Handle implements server.Handler.
func (Handler) Handle(_ time.Duration, client netip.Addr, path, query, dst []byte) ([]byte, bool) {
	switch {
	case strings.HasPrefix(string(path), "/announce"):
		return fmt.Appendf(dst, "%s %s?%s", client, path, query), true
	case string(path) == "/big":
		n, err := strconv.Atoi(string(query))
		if err != nil {
			return dst, false
		}
		return append(dst, make([]byte, n)...), true
	case string(path) == "/slow":
		<-time.After(brief)
		return append(dst, "slow"...), true
	}
	return dst, false
}

// A Server is a server under test that runs.
type Server struct {
	*server.Server
	t    *testing.T
	c    Carrier
	stop context.CancelFunc
	done chan error // what Run returned
}

// config is what most tests start from: a listener on the loopback, and
// timeouts that no test reaches by accident.
func (c Carrier) config() server.Config {
	cfg := server.Config{
		Listeners:       []server.Listener{{Network: server.NetworkTCP4, Address: "127.0.0.1:0"}},
		Workers:         2,
		KeepAlive:       true,
		HeadTimeout:     Patience,
		WriteTimeout:    Patience,
		IdleTimeout:     Patience,
		IndexPage:       []byte("the index\n"),
		NoClientAddress: []byte("no client"),
		RateLimited:     []byte("too fast"),
	}
	return cfg
}

// open binds a server without running it.
func (c Carrier) open(t *testing.T, cfg server.Config) *Server {
	t.Helper()
	if c.Prepare != nil {
		c.Prepare(&cfg)
	}
	s, err := server.New(cfg, func() server.Handler { return Handler{} }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Server: s, t: t, c: c, done: make(chan error, 1)}
}

// start runs a server until the test ends.
func (c Carrier) start(t *testing.T, cfg server.Config) *Server {
	t.Helper()
	s := c.open(t, cfg)
	s.run()
	return s
}

// run runs a server that was only opened until the test ends.
func (s *Server) run() {
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go func() { s.done <- s.Run(ctx) }()
	s.t.Cleanup(func() {
		s.stop()
		s.ended()
	})
}

// ended waits until Run has returned, and checks that it returned nil. It may
// be called again.
func (s *Server) ended() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Errorf("Run: %v", err)
		}
		s.done <- nil
	case <-time.After(Patience):
		s.t.Error("Run does not return")
	}
}

// dialRaw connects to the first listener by TCP.
func (s *Server) dialRaw() *net.TCPConn {
	s.t.Helper()
	a := s.Addrs()[0]
	conn, err := net.Dial(a.Network(), a.String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(Patience))
	return conn.(*net.TCPConn)
}

// dial connects to the first listener, as the carrier's clients do.
func (s *Server) dial() net.Conn {
	s.t.Helper()
	conn := s.dialRaw()
	if s.c.Wrap == nil {
		return conn
	}
	return s.c.Wrap(conn)
}

// send writes a whole string.
func (s *Server) send(conn io.Writer, text string) {
	s.t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		s.t.Fatalf("writing %.40q: %v", text, err)
	}
}

// expect reads exactly want.
func (s *Server) expect(conn io.Reader, want string) {
	s.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(conn, got)
	if string(got[:n]) != want {
		s.t.Fatalf("read %q (%v)\nwant %q", got[:n], err, want)
	}
}

// expectEnd reads exactly want and then the end of the connection.
func (s *Server) expectEnd(conn io.Reader, want string) {
	s.t.Helper()
	got, err := io.ReadAll(conn)
	if string(got) != want || err != nil {
		s.t.Fatalf("read %q (%v)\nwant %q and the end", got, err, want)
	}
}

// await waits until the counters satisfy a condition.
func (s *Server) await(what string, ok func(server.Stats) bool) {
	s.t.Helper()
	giveUp := time.After(Patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok(s.Stats()) {
		select {
		case <-tick.C:
		case <-giveUp:
			s.t.Fatalf("%s never happened: %+v", what, s.Stats())
		}
	}
}

// awaitEnd waits until n connections have ended for a reason.
func (s *Server) awaitEnd(reason string, n uint64) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d connections ended as %s", n, reason), func(st server.Stats) bool {
		return value(s.t, st.Ended, reason) >= n
	})
}

// value returns the count with a label.
func value(t *testing.T, counts []server.Count, label string) uint64 {
	t.Helper()
	i := slices.IndexFunc(counts, func(c server.Count) bool { return c.Label == label })
	if i < 0 {
		t.Fatalf("no counter is called %s", label)
	}
	return counts[i].Value
}

// reply is a reply with status 200 that keeps an HTTP/1.1 connection.
func reply(body string) string { return replyHead("200 OK", "", len(body)) + body }

// closing is a reply with status 200 after which the connection ends.
func closing(body string) string {
	return replyHead("200 OK", "Connection: close\r\n", len(body)) + body
}

// refusal is a reply without status 200, after which the connection ends.
func refusal(status, extra string) string {
	body := status + "\n"
	return replyHead(status, extra+"Connection: close\r\n", len(body)) + body
}

func replyHead(status, extra string, length int) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n", status, extra, length)
}

// get is a request for a path with its query.
func get(target string, lines ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: t\r\n" + strings.Join(lines, "") + "\r\n"
}
