package server

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"spate/internal/http1"
)

// echoHandler answers everything below /announce with its query.
type echoHandler struct{}

func (echoHandler) Handle(_ time.Duration, _ netip.Addr, path, query, dst []byte) ([]byte, bool) {
	if !bytes.HasPrefix(path, []byte("/announce")) {
		return dst, false
	}
	return append(append(dst, "body "...), query...), true
}

func newTestExchange(tb testing.TB, cfg Config) *exchange {
	tb.Helper()
	r, err := newRules(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return &exchange{rules: r, handler: echoHandler{}, count: new(counters)}
}

func testPeer() peer { return peer{client: netip.MustParseAddr("192.0.2.1")} }

// play feeds in to an exchange in pieces, as a driver does, and returns all
// replies and how it ended.
func play(tb testing.TB, x *exchange, p peer, in []byte, piece func(left int) int) (out []byte, last action) {
	tb.Helper()
	var held []byte
	for {
		n := 0
		if len(in) > 0 {
			n = min(max(piece(len(in)), 1), len(in), inputSize-len(held))
		}
		held, in = append(held, in[:n]...), in[n:]
		for {
			var used int
			used, out, last = x.serve(0, &p, held, out)
			if used < 0 || used > len(held) {
				tb.Fatalf("%d of %d bytes are used", used, len(held))
			}
			held = held[used:]
			if last != actionFlush {
				break
			}
		}
		switch {
		case last == actionClose, last == actionLinger, last == actionAbort:
			return out, last
		case last == actionKeep && len(held) > 0:
			tb.Fatalf("a connection is called idle with %d bytes unused", len(held))
		case last == actionMore && len(held) >= inputSize:
			tb.Fatal("more is asked for than a driver holds")
		case len(in) == 0:
			return out, last
		}
	}
}

func whole(left int) int { return left }

// FuzzExchange: nothing panics, and how the bytes were split over reads does
// not show in the replies.
func FuzzExchange(f *testing.F) {
	get := "GET /announce?a HTTP/1.1\r\nHost: t\r\n\r\n"
	for _, seed := range []string{
		get, get + get + "GET /", "HEAD /x HTTP/1.0\r\n\r\n\x00", "\x16\x03\x01", "POST / HTTP/1.1\r\n\r\n",
		"GET /announce HTTP/1.1\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n" + get, "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + get,
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x01\x13\x88\x00\x50" + get,
		"GET /" + strings.Repeat("a", 8200), "GET / HTTP/1.1\r\nX: " + strings.Repeat("a", 8200),
	} {
		for via := range 3 {
			f.Add([]byte(seed), uint8(via), uint8(1))
		}
	}
	x := newTestExchange(f, Config{
		KeepAlive: true, MaxRequests: 5, IndexPage: []byte("index"), NoClientAddress: []byte("none"),
		ClientHeader: "X-Forwarded-For", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
	})
	f.Fuzz(func(t *testing.T, in []byte, via, step uint8) {
		p, ok := x.rules.open(&Listener{Proxy: Proxy(via % 3)}, netip.MustParseAddr("192.0.2.1"))
		if !ok {
			t.Fatal("a trusted proxy is not let in")
		}
		out, last := play(t, x, p, bytes.Clone(in), whole)
		split, lastSplit := play(t, x, p, bytes.Clone(in), func(int) int { return int(step) + 1 })
		if !bytes.Equal(out, split) || last != lastSplit {
			t.Fatalf("whole:    %q, action %d\nin pieces: %q, action %d", out, last, split, lastSplit)
		}
	})
}

func TestExchangeAllocatesNothing(t *testing.T) {
	x := newTestExchange(t, Config{KeepAlive: true, IndexPage: []byte("index"), IndexLink: "/announce", ClientHeader: "X-Forwarded-For"})
	p, out := testPeer(), make([]byte, 0, 4096)
	for name, in := range map[string]string{
		"announce":  "GET /announce?info_hash=%01&port=1 HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n",
		"pipeline":  strings.Repeat("GET /announce HTTP/1.1\r\n\r\n", 4),
		"index":     "GET / HTTP/1.1\r\nHost: t\r\n\r\n",
		"not found": "GET /x HTTP/1.1\r\n\r\n",
		"refused":   "\x16\x03",
		"partial":   "GET /announce?",
	} {
		in := []byte(in)
		if n := testing.AllocsPerRun(100, func() {
			_, out, _ = x.serve(0, &p, in, out[:0])
			p.checked = 0
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestIndexPage: the page names the announce URL as far as it is known.
func TestIndexPage(t *testing.T) {
	x := newTestExchange(t, Config{
		KeepAlive: true, IndexPage: []byte("Announce: "), IndexLink: "/announce",
		ClientHeader: "X-Forwarded-For", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")},
	})
	proxied := testPeer()
	proxied.via = ProxyHeader
	for _, tc := range []struct {
		name, target, lines string
		peer                peer
		secure              bool
		want                string
	}{
		{"host and port", "/", "Host: t.example:3000\r\n", testPeer(), false, "http://t.example:3000/announce\n"},
		{"IPv6", "/", "Host: [2001:db8::1]:3000\r\n", testPeer(), false, "http://[2001:db8::1]:3000/announce\n"},
		{"TLS", "/", "Host: t.example\r\n", testPeer(), true, "https://t.example/announce\n"},
		{"absolute target", "http://u.example/", "Host: t.example\r\n", testPeer(), false, "http://u.example/announce\n"},
		{"no host", "/", "", testPeer(), false, "/announce\n"},
		{"markup", "/", "Host: <script>\r\n", testPeer(), false, "/announce\n"},
		{"endless", "/", "Host: " + strings.Repeat("a", 300) + "\r\n", testPeer(), false, "/announce\n"},
		{"behind a proxy", "/", "Host: t.example\r\nX-Forwarded-For: 1.2.3.4\r\n", proxied, false, "/announce\n"},
		{"PROXY protocol", "/", "Host: t.example\r\n", peer{client: testPeer().client, via: ProxyProtocol}, false, "/announce\n"},
		{"unix socket", "/", "Host: t.example\r\nX-Forwarded-For: 1.2.3.4\r\n", peer{via: ProxyHeader}, false, "/announce\n"},
	} {
		x.secure = tc.secure
		_, out, _ := x.serve(0, &tc.peer, []byte("GET "+tc.target+" HTTP/1.1\r\n"+tc.lines+"\r\n"), nil)
		_, body, _ := strings.Cut(string(out), "\r\n\r\n")
		if body != "Announce: "+tc.want {
			t.Errorf("%s: %q, want %q", tc.name, out, tc.want)
		}
	}
}

// TestExchangeFlush: pipelined requests do not pile up replies without bound.
func TestExchangeFlush(t *testing.T) {
	x := newTestExchange(t, Config{KeepAlive: true})
	one := "GET /announce?" + strings.Repeat("a", 4000) + " HTTP/1.1\r\n\r\n"
	in := []byte(strings.Repeat(one, 64))
	p := testPeer()
	flushes, replies := 0, 0
	for next := actionFlush; next == actionFlush; flushes++ {
		var used int
		var out []byte
		used, out, next = x.serve(0, &p, in, nil)
		in = in[used:]
		replies += bytes.Count(out, []byte("HTTP/1.1 200 OK"))
		if len(out) > outputLimit+8192 {
			t.Errorf("%d bytes of output at once", len(out))
		}
	}
	if flushes < 4 || replies != 64 || len(in) > 0 {
		t.Errorf("%d flushes, %d replies, %d bytes left", flushes, replies, len(in))
	}
}

func TestExchangeDraining(t *testing.T) {
	x := newTestExchange(t, Config{KeepAlive: true})
	x.rules.draining.Store(true)
	p := testPeer()
	_, out, next := x.serve(0, &p, []byte("GET /announce HTTP/1.1\r\n\r\n"), nil)
	if next != actionClose || !bytes.Contains(out, []byte("Connection: close\r\n")) {
		t.Errorf("while draining: %q, action %d", out, next)
	}
}

// TestExchangeAfterProxyHeader: who has sent no more than a PROXY protocol header
// owes its first head, and is no kept connection that may idle.
func TestExchangeAfterProxyHeader(t *testing.T) {
	x := newTestExchange(t, Config{KeepAlive: true})
	p := testPeer()
	p.pending = true
	header := []byte("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n")
	used, out, next := x.serve(0, &p, header, nil)
	if used != len(header) || len(out) > 0 || next != actionMore {
		t.Errorf("after the header: %d bytes used, %q, action %d", used, out, next)
	}
	_, out, next = x.serve(0, &p, []byte("GET /announce HTTP/1.1\r\n\r\n"), nil)
	if next != actionKeep || !bytes.HasPrefix(out, []byte("HTTP/1.1 200 OK\r\n")) {
		t.Errorf("after the request: %q, action %d", out, next)
	}
}

// TestOpen holds who may speak for others, by mode and source.
func TestOpen(t *testing.T) {
	trusted, stranger := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.0.2.1")
	r, err := newRules(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		mode    Proxy
		source  netip.Addr
		ok      bool
		via     Proxy
		pending bool
	}{
		{ProxyNone, stranger, true, ProxyNone, false},
		{ProxyNone, trusted, true, ProxyNone, false},
		{ProxyHeader, stranger, true, ProxyNone, false},
		{ProxyHeader, trusted, true, ProxyHeader, false},
		{ProxyHeader, netip.MustParseAddr("::ffff:10.0.0.1"), true, ProxyHeader, false},
		{ProxyHeader, netip.Addr{}, true, ProxyHeader, false},
		{ProxyProtocol, stranger, false, ProxyProtocol, true},
		{ProxyProtocol, trusted, true, ProxyProtocol, true},
		{ProxyProtocol, netip.Addr{}, true, ProxyProtocol, true},
	} {
		p, ok := r.open(&Listener{Proxy: test.mode}, test.source)
		if ok != test.ok || p.via != test.via || p.pending != test.pending || p.client != unmapped(test.source) {
			t.Errorf("mode %d from %v: %+v, %v", test.mode, test.source, p, ok)
		}
	}
}

func unmapped(a netip.Addr) netip.Addr { return a.Unmap() }

func BenchmarkExchange(b *testing.B) {
	x := newTestExchange(b, Config{KeepAlive: true, ClientHeaderFormat: http1.AddrFormatLast})
	p, out := testPeer(), make([]byte, 0, 4096)
	in := []byte("GET /announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A&peer_id=-TR3000-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=0&numwant=50&compact=1 HTTP/1.1\r\nHost: tracker.example\r\nUser-Agent: Transmission/3.00\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n")
	b.ReportAllocs()
	for b.Loop() {
		_, out, _ = x.serve(0, &p, in, out[:0])
	}
}

// TestTrustedProxiesAreExempt: only where a listener stands behind one are their
// addresses those of proxies.
func TestTrustedProxiesAreExempt(t *testing.T) {
	proxy := netip.MustParseAddr("10.0.0.1")
	for mode, exempt := range map[Proxy]bool{ProxyNone: false, ProxyHeader: true, ProxyProtocol: true} {
		r, err := newRules(Config{
			Listeners:      []Listener{{}, {Proxy: mode}},
			TrustedProxies: []netip.Prefix{netip.PrefixFrom(proxy, 32)},
			Limits:         Limits{AddressConnections: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.limits.admit(0, proxy, nil)
		if got := r.limits.admit(0, proxy, nil) == refusalNone; got != exempt {
			t.Errorf("mode %d: a trusted proxy is exempt: %t, want %t", mode, got, exempt)
		}
	}
}
