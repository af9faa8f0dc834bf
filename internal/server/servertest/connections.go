package servertest

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"spate/internal/server"
)

// connections holds how long a connection is kept and what is counted.
func (c Carrier) connections(t *testing.T) {
	t.Run("keep-alive off", c.keepAliveOff)
	t.Run("requests per connection", c.maxRequests)
	t.Run("rate", c.rate)
	t.Run("rate of bytes", c.rateOfBytes)
	t.Run("connections of an address", c.addressConnections)
	t.Run("pipelines larger than any buffer", c.longPipeline)
	t.Run("reply larger than any buffer", c.largeReply)
	t.Run("many at a time", c.many)
	t.Run("IPv6", c.ipv6)
	t.Run("counters", c.counters)
}

func (c Carrier) keepAliveOff(t *testing.T) {
	cfg := c.config()
	cfg.KeepAlive = false
	s := c.start(t, cfg)
	for _, request := range []string{
		get("/announce"), get("/announce") + get("/announce"),
		"GET /announce HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	} {
		conn := s.dial()
		s.send(conn, request)
		s.expectEnd(conn, closing(echo))
	}
}

func (c Carrier) maxRequests(t *testing.T) {
	cfg := c.config()
	cfg.MaxRequests = 3
	s := c.start(t, cfg)
	conn := s.dial()
	s.send(conn, get("/announce"))
	s.expect(conn, reply(echo))
	s.send(conn, get("/announce")+get("/announce")+get("/announce"))
	s.expectEnd(conn, reply(echo)+closing(echo))
}

func (c Carrier) rate(t *testing.T) {
	cfg := c.config()
	cfg.Limits = server.Limits{RequestRate: 1, RequestBurst: 1}
	cfg.Clock = func() time.Duration { return time.Hour }
	s := c.start(t, cfg)
	conn := s.dial()
	s.send(conn, get("/announce")+get("/announce"))
	s.expect(conn, reply(echo)+reply("too fast"))
}

// rateOfBytes lets the last request that a client has left fetch more than a request is
// worth: it has it, and nothing after it.
func (c Carrier) rateOfBytes(t *testing.T) {
	const worth = 16 << 10
	cfg := c.config()
	cfg.Limits = server.Limits{RequestRate: 1, RequestBurst: 3}
	now := new(atomic.Int64)
	now.Store(int64(time.Hour))
	cfg.Clock = func() time.Duration { return time.Duration(now.Load()) }
	s := c.start(t, cfg)
	conn := s.dial()
	big := func(n int) string { return reply(string(make([]byte, n))) }
	for _, n := range []int{worth - 1, worth - 1, 10 * worth} {
		s.send(conn, get(fmt.Sprintf("/big?%d", n)))
		s.expect(conn, big(n))
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "too fast"}, {9 * time.Second, "too fast"}, {2 * time.Second, echo}} {
		now.Add(int64(step.after))
		s.send(conn, get("/announce"))
		s.expect(conn, reply(step.want))
	}
}

func (c Carrier) addressConnections(t *testing.T) {
	cfg := c.config()
	cfg.Limits = server.Limits{AddressConnections: 2}
	s := c.start(t, cfg)
	first, second := s.dial(), s.dial()
	for _, conn := range []net.Conn{first, second} {
		s.send(conn, get("/announce"))
		s.expect(conn, reply(echo))
	}
	refused := s.dialRaw()
	s.send(refused, get("/announce"))
	s.expectGone(refused)
	_ = first.Close()
	s.await("one connection left", func(st server.Stats) bool { return st.Open == 1 })
	third := s.dial()
	s.send(third, get("/announce"))
	s.expect(third, reply(echo))
	if st := s.Stats(); value(t, st.Ended, "limit") != 1 || value(t, st.Refused, "address_connections") != 1 {
		t.Errorf("after one refusal: %+v", st)
	}
}

func (c Carrier) longPipeline(t *testing.T) {
	s := c.start(t, c.config())
	conn := s.dial()
	const n = 3000
	go func() {
		var b strings.Builder
		for i := range n {
			b.WriteString(get(fmt.Sprintf("/announce?%d", i)))
		}
		_, _ = io.WriteString(conn, b.String())
	}()
	for i := range n {
		s.expect(conn, reply(fmt.Sprintf("%s%d", echo, i)))
	}
}

func (c Carrier) largeReply(t *testing.T) {
	s := c.start(t, c.config())
	const n = 1 << 20
	want := reply(string(make([]byte, n)))
	conn := s.dial()
	// Twenty-four of them exceed what sockets hold; what comes behind them waits.
	s.send(conn, strings.Repeat(get(fmt.Sprintf("/big?%d", n)), 24)+get("/announce"))
	for range 24 {
		s.expect(conn, want)
	}
	s.expect(conn, reply(echo))
	s.send(conn, get(fmt.Sprintf("/big?%d", n), "Connection: close\r\n"))
	s.expectEnd(conn, closing(string(make([]byte, n))))
}

func (c Carrier) many(t *testing.T) {
	s := c.start(t, c.config())
	var all sync.WaitGroup
	for i := range 50 {
		conn := s.dial()
		all.Go(func() {
			for j := range 20 {
				target := fmt.Sprintf("/announce?%d.%d", i, j)
				want := reply("127.0.0.1 " + target)
				got := make([]byte, len(want))
				if _, err := io.WriteString(conn, get(target)); err != nil {
					t.Error(err)
					return
				}
				if n, err := io.ReadFull(conn, got); string(got) != want {
					t.Errorf("read %q (%v), want %q", got[:n], err, want)
					return
				}
			}
		})
	}
	all.Wait()
}

func (c Carrier) ipv6(t *testing.T) {
	cfg := c.config()
	cfg.Listeners = []server.Listener{
		{Network: server.NetworkTCP6, Address: "[::1]:0"},
		{Network: server.NetworkTCP6, Address: "[::]:0", DualStack: true},
		{Network: server.NetworkTCP6, Address: "[::]:0"},
	}
	s := c.start(t, cfg)
	dial := func(network, host string, listener int) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(s.Addrs()[listener].String())
		conn, err := net.Dial(network, net.JoinHostPort(host, port))
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(Patience))
			t.Cleanup(func() { _ = conn.Close() })
			if c.Wrap != nil {
				conn = c.Wrap(conn)
			}
		}
		return conn, err
	}
	for _, test := range []struct {
		network, host string
		listener      int
		client        string
	}{
		{"tcp6", "::1", 0, "::1"},
		{"tcp6", "::1", 1, "::1"},
		{"tcp4", "127.0.0.1", 1, "127.0.0.1"}, // unmapped
		{"tcp6", "::1", 2, "::1"},
	} {
		conn, err := dial(test.network, test.host, test.listener)
		if err != nil {
			t.Fatal(err)
		}
		s.send(conn, get("/announce", "Connection: close\r\n"))
		s.expectEnd(conn, closing(test.client+" /announce?"))
	}
	if _, err := dial("tcp4", "127.0.0.1", 2); err == nil {
		t.Error("a listener for IPv6 takes IPv4")
	}
	s.await("four accepted connections", func(st server.Stats) bool {
		return st.Accepted4 == 1 && st.Accepted6 == 3 &&
			value(t, st.Requests4, "handled") == 1 && value(t, st.Requests6, "handled") == 3
	})
}

func (c Carrier) counters(t *testing.T) {
	s := c.start(t, c.config())
	conn := s.dial()
	in := get("/announce") + get("/") + get("/x") + "POST / HTTP/1.1\r\n"
	out := reply(echo) + reply("the index\n") + replyHead("404 Not Found", "", 14) + "404 Not Found\n" +
		refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n")
	s.send(conn, in)
	s.expectEnd(conn, out)
	_ = conn.Close()
	kept := s.dial()
	s.send(kept, get("/announce"))
	s.expect(kept, reply(echo))
	in, out = in+get("/announce"), out+reply(echo)
	s.awaitEnd("refused", 1)
	st := s.Stats()
	for label, want := range map[string]uint64{"handled": 2, "index": 1, "404": 1, "405": 1, "400": 0} {
		if got := value(t, st.Requests4, label); got != want {
			t.Errorf("%d requests counted as %s, want %d", got, label, want)
		}
	}
	if st.BytesIn != uint64(len(in)) || st.BytesOut != uint64(len(out)) {
		t.Errorf("counted %d bytes in and %d out, want %d and %d", st.BytesIn, st.BytesOut, len(in), len(out))
	}
	if st.Accepted4 != 2 || st.Open != 1 {
		t.Errorf("%d connections accepted and %d open, want 2 and 1", st.Accepted4, st.Open)
	}
}
