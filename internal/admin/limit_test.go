package admin

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A queue is a listener whose connections the test makes.
type queue struct {
	net.Listener // nil
	conns        chan net.Conn
}

func (q *queue) Accept() (net.Conn, error) {
	c, open := <-q.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (q *queue) Close() error { close(q.conns); return nil }

// A guest is a connection from an address.
type guest struct {
	net.Conn // nil
	from     string
	gone     bool
}

func (g *guest) Close() error         { g.gone = true; return nil }
func (g *guest) RemoteAddr() net.Addr { return address(g.from) }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// TestCrowd: who has most connections loses the oldest of them for a new one.
func TestCrowd(t *testing.T) {
	var log strings.Builder
	q := &queue{conns: make(chan net.Conn, 1)}
	c := newLimitListener(q, 4, slog.New(slog.NewTextHandler(&log, nil)))
	conns := map[string]*limitedConn{}
	guests := map[string]*guest{}
	for i, step := range []struct {
		from string
		gone string // all that are
	}{
		{"192.0.2.1:1", ""},
		{"[2001:db8::1]:1", ""},
		{"[2001:db8::2]:1", ""}, // in the same /64
		{"192.0.2.1:2", ""},
		{"[2001:db8:1::]:1", "192.0.2.1:1"},               // the oldest, where two have two each
		{"198.51.100.1:1", "192.0.2.1:1 [2001:db8::1]:1"}, // now the network has most
		{"[::ffff:192.0.2.1]:3", "192.0.2.1:1 [2001:db8::1]:1 [2001:db8::2]:1"},
	} {
		g := &guest{from: step.from}
		q.conns <- g
		m, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		conns[step.from], guests[step.from] = m.(*limitedConn), g
		for from, g := range guests {
			if g.gone != strings.Contains(step.gone, from) {
				t.Errorf("after connection %d that of %s is gone: %v", i+1, from, g.gone)
			}
		}
	}
	if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, "connections=4 count=1") {
		t.Errorf("log: %s", s)
	}

	// Who is busy stays, and where all are a new one waits for the first that ends.
	for _, m := range c.open {
		m.busy.Store(true)
	}
	accepted := make(chan error)
	accept := func() { _, err := c.Accept(); accepted <- err }
	go accept()
	q.conns <- &guest{from: "203.0.113.1:1"}
	select {
	case err := <-accepted:
		t.Fatalf("a fifth connection is in: %v", err)
	default:
	}
	if err := conns["192.0.2.1:2"].Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; err != nil || len(c.open) != 4 {
		t.Errorf("%d are open, %v", len(c.open), err)
	}
	// One that has lost its place gives up nobody else's.
	if err := conns["192.0.2.1:1"].Close(); err != nil || len(c.open) != 4 {
		t.Errorf("%d are open, %v", len(c.open), err)
	}

	c.open[3].busy.Store(true)
	last := &guest{from: "203.0.113.2:1"}
	go accept()
	q.conns <- last
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) || !last.gone {
		t.Errorf("after Close: %v, %v", err, last.gone)
	}
}

// TestFullListener: kept connections, and such whose request is not over, take no
// place from the health check, while an answer to who has the token is finished.
func TestFullListener(t *testing.T) {
	const authorized = "Authorization: Bearer " + token + "\r\n"
	begun, end := make(chan struct{}), make(chan struct{})
	f := &fake{health: Health{State: StateReady}}
	src := f.sources()
	src.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-end
		_, _ = io.WriteString(w, "spate_torrents 7\n")
	})
	c := start(t, Config{Address: loopback, Token: token}, src)
	ask := func(request string) (answer *bufio.Reader) {
		t.Helper()
		conn, err := net.Dial("tcp", c.server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		return bufio.NewReader(conn)
	}
	want := func(answer *bufio.Reader, status int) {
		t.Helper()
		resp, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != status {
			t.Errorf("status %d, %v", resp.StatusCode, err)
		}
	}
	finished := ask("GET /metrics HTTP/1.1\r\nHost: x\r\n" + authorized + "\r\n")
	<-begun
	for _, held := range []string{
		"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", // kept for two minutes
		"POST /log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n",
		"POST /log-level HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + authorized + "\r\n",
		"GET /hea",
	} {
		for range maxConnections + 1 {
			ask(held)
		}
		want(ask("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"), 200)
	}
	close(end)
	want(finished, 200)
}
