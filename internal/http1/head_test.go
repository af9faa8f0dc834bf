package http1

import (
	"bytes"
	"strings"
	"testing"
)

func TestParseHeadOfRealClients(t *testing.T) {
	for _, c := range []struct {
		name, head, path, host    string
		proto10, keepAlive, extra bool
	}{
		{name: "libtorrent", head: libtorrentHead, host: "tracker.example.org:6969"},
		{name: "Transmission", head: transmissionHead, host: "tracker.example.org:6969", keepAlive: true},
		{name: "aria2", head: aria2Head, host: "tracker.example.org:6969", keepAlive: true},
		{name: "ctorrent", head: ctorrentHead, proto10: true},
		{name: "unworkable", head: unworkableHead + "\x00", host: "tracker.example.org", proto10: true, extra: true},
		{name: "uTorrent", head: uTorrentHead, host: "tracker.example.org:6969"},
		{name: "ab", head: abHead, host: "127.0.0.1:3000", proto10: true, keepAlive: true},
		{name: "lftp", head: lftpHead, host: "tracker.example.org", keepAlive: true},
		{name: "browser", head: browserHead, host: "tracker.example.org", keepAlive: true},
		{name: "Cloudflare", head: cloudflareHead, host: "tracker.example.org", keepAlive: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Head
			n, err := ParseHead([]byte(c.head), &h)
			want := len(c.head)
			if c.extra {
				want--
			}
			if err != nil || n != want {
				t.Fatalf("ParseHead = %d, %v; want %d", n, err, want)
			}
			if h.HEAD || string(h.Path) != "/announce" || !bytes.HasPrefix(h.Query, []byte("info_hash=")) {
				t.Errorf("HEAD %v, path %q, query %q", h.HEAD, h.Path, h.Query)
			}
			if string(h.Host) != c.host || h.Proto10 != c.proto10 || h.KeepAlive != c.keepAlive || h.HEAD {
				t.Errorf("host %q, 1.0 %v, keep-alive %v, HEAD %v", h.Host, h.Proto10, h.KeepAlive, h.HEAD)
			}
		})
	}
}

// TestParseHeadVerdicts has a row for every rule of a request head. What is in
// a row is the whole input: verdicts on incomplete heads are early ones.
func TestParseHeadVerdicts(t *testing.T) {
	const end = " HTTP/1.1\r\n\r\n"
	line := func(s string) string { return "GET / HTTP/1.1\r\n" + s + "\r\n\r\n" }
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"minimal", "GET /" + end, nil},
		{"HEAD", "HEAD /" + end, nil},
		{"empty line first", "\r\nGET /" + end, nil},
		{"two empty lines first", "\r\n\r\nGET /" + end, ErrRequestLine},
		{"bare CR first", "\rGET /" + end, ErrRequestLine},
		{"bare LF first", "\nGET /" + end, ErrRequestLine},
		{"TLS hello", "\x16\x03\x01", ErrRequestLine},
		{"BitTorrent handshake", "\x13BitTorrent protocol", ErrRequestLine},
		{"PROXY v2", "\r\n\r\n\x00\r\nQUIT\n", ErrRequestLine},
		{"noise inside a method", "GE\x80", ErrRequestLine},
		{"no method", " /", ErrRequestLine},
		{"endless method", strings.Repeat("A", maxMethod+1), ErrRequestLine},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r", ErrRequestLine},
		{"POST", "POST / HTTP/1.1\r\n", ErrMethod},
		{"POST with a body", "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", ErrMethod},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n\r\n", ErrMethod},
		{"CONNECT", "CONNECT example.org:443 HTTP/1.1\r\n\r\n", ErrMethod},
		{"lower-case get", "get /" + end, ErrMethod},
		{"PROXY v1", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", ErrRequestLine},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ErrRequestLine},
		{"HTTP/2 preface, start", "PRI * HTTP/2", ErrRequestLine},
		{"HTTP/0.9", "GET /\r\n", ErrRequestLine},
		{"HTTP/1.2", "GET / HTTP/1.2\r\n\r\n", nil},
		{"HTTP/1.10", "GET / HTTP/1.10\r\n\r\n", ErrRequestLine},
		{"HTTP/1.x", "GET / HTTP/1.x\r\n\r\n", ErrRequestLine},
		{"http/1.1", "GET / http/1.1\r\n\r\n", ErrRequestLine},
		{"no target", "GET " + end, ErrRequestLine},
		{"two spaces", "GET  /" + end, ErrRequestLine},
		{"space in target", "GET /a b" + end, ErrRequestLine},
		{"space in target, early", "GET /a b", ErrRequestLine},
		{"space after version", "GET / HTTP/1.1 \r\n\r\n", ErrRequestLine},
		{"tab as separator", "GET\t/" + end, ErrRequestLine},
		{"raw bytes in query", "GET /a?b=\x00\x01\t\x7f\x80\xff#\"<>=" + end, nil},
		{"CR in target", "GET /a\rb", ErrRequestLine},
		{"LF ends the line", "GET / HTTP/1.1\n", ErrRequestLine},
		{"target without slash", "GET announce" + end, ErrRequestLine},
		{"asterisk", "GET *" + end, ErrRequestLine},
		{"absolute form", "GET http://example.org/announce" + end, nil},
		{"absolute form without host", "GET http:///announce" + end, ErrRequestLine},
		{"absolute form, other scheme", "GET ftp://example.org/announce" + end, ErrRequestLine},
		{"bare LF in header", "GET / HTTP/1.1\r\nA: b\n", ErrHeaderLine},
		{"bare LF for blank line", "GET / HTTP/1.1\r\n\n", ErrHeaderLine},
		{"bare CR in value", line("A: b\rc"), ErrHeaderLine},
		{"bare CR, early", "GET / HTTP/1.1\r\nA: b\rc", ErrHeaderLine},
		{"NUL in value", line("A: b\x00c"), ErrHeaderLine},
		{"raw bytes in value", line("A: \x01\x7f\x80\xff"), nil},
		{"obs-fold", line("A: b\r\n c"), ErrHeaderLine},
		{"obs-fold, early", "GET / HTTP/1.1\r\nA: b\r\n\t", ErrHeaderLine},
		{"fold of the request line", "GET / HTTP/1.1\r\n A: b", ErrHeaderLine},
		{"space before colon", line("Host : a"), ErrHeaderLine},
		{"no colon", line("Host"), ErrHeaderLine},
		{"no colon, early", "GET / HTTP/1.1\r\nHost\r", ErrHeaderLine},
		{"no name", line(": a"), ErrHeaderLine},
		{"space in name", line("X Y: a"), ErrHeaderLine},
		{"empty value", line("A:"), nil},
		{"no Host", line("A: b"), nil},
		{"two Hosts", line("Host: a\r\nHOST: a"), ErrHost},
		{"two Hosts, one empty", line("Host:\r\nhost: a"), ErrHost},
		{"Content-Length 0", line("Content-Length: 0"), nil},
		{"Content-Length 000", line("content-length:000"), nil},
		{"Content-Length 1", line("Content-Length: 1"), ErrBody},
		{"Content-Length twice", line("Content-Length: 0\r\nContent-Length: 0"), ErrBody},
		{"Content-Length list", line("Content-Length: 0, 0"), ErrBody},
		{"Content-Length empty", line("Content-Length:"), ErrBody},
		{"Content-Length -0", line("Content-Length: -0"), ErrBody},
		{"Content-Length +0", line("Content-Length: +0"), ErrBody},
		{"Content-Length 0x0", line("Content-Length: 0x0"), ErrBody},
		{"Transfer-Encoding", line("Transfer-Encoding: chunked"), ErrBody},
		{"Transfer-Encoding identity", line("TRANSFER-ENCODING: identity"), ErrBody},
		{"Expect", line("Expect: 100-continue"), nil},
		{"Upgrade", line("Connection: Upgrade\r\nUpgrade: h2c"), nil},
		{"nothing", "", ErrIncomplete},
		{"one CR", "\r", ErrIncomplete},
		{"half a method", "GE", ErrIncomplete},
		{"half a version", "GET / HTT", ErrIncomplete},
		{"line without LF", "GET / HTTP/1.1\r", ErrIncomplete},
		{"no blank line", "GET / HTTP/1.1\r\nA: b\r\n", ErrIncomplete},
		{"half a blank line", "GET / HTTP/1.1\r\nA: b\r\n\r", ErrIncomplete},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := ParseHead([]byte(c.in), &Head{})
			if err != c.want {
				t.Fatalf("ParseHead(%q) = %v, want %v", c.in, err, c.want)
			}
			if (n > 0) != (err == nil) {
				t.Errorf("n = %d with error %v", n, err)
			}
			checkSplits(t, []byte(c.in))
		})
	}
}

func TestParseHeadTargets(t *testing.T) {
	for _, c := range []struct{ target, host, path, query string }{
		{"/", "line", "/", ""},
		{"/announce?", "line", "/announce", ""},
		{"/announce?a=?b", "line", "/announce", "a=?b"},
		{"//announce?a#b", "line", "//announce", "a#b"},
		{"http://target:80/announce?x=http://y/", "target:80", "/announce", "x=http://y/"},
		{"HTTPS://target/", "target", "/", ""},
		{"http://target", "target", "/", ""},
		{"http://target?a=/b", "target", "/", "a=/b"},
		{"http://[::1]:80/scrape", "[::1]:80", "/scrape", ""},
	} {
		in := []byte("GET " + c.target + " HTTP/1.1\r\nHost:\t line \r\n\r\n")
		var h Head
		if _, err := ParseHead(in, &h); err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		if string(h.Host) != c.host || string(h.Path) != c.path || string(h.Query) != c.query {
			t.Errorf("%s: host %q, path %q, query %q", c.target, h.Host, h.Path, h.Query)
		}
	}
}

func TestParseHeadConnection(t *testing.T) {
	for _, c := range []struct {
		version, lines string
		keep           bool
		said           Connection // by a server that follows the client
	}{
		{"1.1", "", true, ConnectionDefault},
		{"1.1", "Connection: close\r\n", false, ConnectionClose},
		{"1.1", "connection:Close\r\n", false, ConnectionClose},
		{"1.1", "Connection: foo ,\tCLOSE , bar\r\n", false, ConnectionClose},
		{"1.1", "Connection: closed\r\n", true, ConnectionDefault},
		{"1.1", "Connection: keep-alive\r\n", true, ConnectionDefault},
		{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false, ConnectionClose},
		{"1.1", "Connection: close, keep-alive\r\n", false, ConnectionClose},
		{"1.1", "Connection:\r\n", true, ConnectionDefault},
		{"1.1", "Connection: ,,\r\n", true, ConnectionDefault},
		{"1.1", "Keep-Alive: close\r\n", true, ConnectionDefault},
		{"1.7", "", true, ConnectionDefault},
		{"1.0", "", false, ConnectionClose},
		{"1.0", "Connection: Keep-Alive\r\n", true, ConnectionKeepAlive},
		{"1.0", "Connection: TE, keep-alive\r\n", true, ConnectionKeepAlive},
		{"1.0", "Connection: keep-alive, close\r\n", false, ConnectionClose},
		{"1.0", "Proxy-Connection: keep-alive\r\n", false, ConnectionClose},
	} {
		var h Head
		_, err := ParseHead([]byte("GET / HTTP/"+c.version+"\r\n"+c.lines+"\r\n"), &h)
		if err != nil || h.KeepAlive != c.keep || h.Connection(h.KeepAlive) != c.said {
			t.Errorf("%s %q: %v, keep-alive %v, said %d", c.version, c.lines, err, h.KeepAlive, h.Connection(h.KeepAlive))
		}
	}
}

func TestParseHeadLimits(t *testing.T) {
	fill := func(before, after string, size int) []byte {
		return []byte(before + strings.Repeat("a", size-len(before)-len(after)) + after)
	}
	const end = " HTTP/1.1\r\n\r\n"
	manyLines := "GET / HTTP/1.1\r\n" + strings.Repeat("a:\r\n", (MaxHead-18)/4)
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"target fills the head", fill("GET /", end, MaxHead), nil},
		{"target one more", fill("GET /", end, MaxHead+1), ErrHeadTooLong},
		{"target three more", fill("GET /", end, MaxHead+3), ErrTargetTooLong},
		{"target without end", fill("GET /", "", MaxHead), ErrTargetTooLong},
		{"target without end, one less", fill("GET /", "", MaxHead-1), ErrIncomplete},
		{"far longer target", fill("GET /", end, MaxHead+200), ErrTargetTooLong},
		{"header fills the head", fill("GET / HTTP/1.1\r\nA: ", "\r\n\r\n", MaxHead), nil},
		{"header one more", fill("GET / HTTP/1.1\r\nA: ", "\r\n\r\n", MaxHead+1), ErrHeadTooLong},
		{"header without end", fill("GET / HTTP/1.1\r\nA: ", "", MaxHead), ErrHeadTooLong},
		{"header without end, one less", fill("GET / HTTP/1.1\r\nA: ", "", MaxHead-1), ErrIncomplete},
		{"2043 header lines", []byte(manyLines + "\r\n"), nil},
		{"a fault before the limit", fill("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nA: ", "", MaxHead+9), ErrHost},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, err := ParseHead(c.in, &Head{})
			if err != c.want || err == nil && n != len(c.in) {
				t.Errorf("ParseHead of %d bytes = %d, %v; want %v", len(c.in), n, err, c.want)
			}
			checkSplits(t, c.in)
		})
	}
}

func TestParseHeadPipelined(t *testing.T) {
	in := []byte(libtorrentHead + transmissionHead + "\r\n" + abHead + "GET")
	var h Head
	for i, want := range []int{len(libtorrentHead), len(transmissionHead), len(abHead) + 2} {
		n, err := ParseHead(in, &h)
		if err != nil || n != want {
			t.Fatalf("request %d: %d, %v; want %d", i, n, err, want)
		}
		in = in[n:]
	}
	if _, err := ParseHead(in, &h); err != ErrIncomplete {
		t.Errorf("rest: %v", err)
	}
}

func TestParseHeadAddrHeader(t *testing.T) {
	values := func(h *Head) (all []string) {
		for i := range h.AddrInstances() {
			all = append(all, string(h.AddrValue(i)))
		}
		return all
	}
	h := Head{AddrHeader: []byte("X-Forwarded-For")}
	in := "GET / HTTP/1.1\r\nx-forwarded-for: a\r\nX-Forwarded-FoR:\tb, c \r\nX-Forwarded-Foo: d\r\nX-FORWARDED-FOR:\r\n\r\n"
	if _, err := ParseHead([]byte(in), &h); err != nil || strings.Join(values(&h), "|") != "|b, c|a" {
		t.Errorf("%v, %q", err, values(&h))
	}
	many := "GET / HTTP/1.1\r\n"
	for _, c := range "0123456789" {
		many += "X-Forwarded-For: " + string(c) + "\r\n"
	}
	if _, err := ParseHead([]byte(many+"\r\n"), &h); err != nil || strings.Join(values(&h), "") != "98765432" {
		t.Errorf("%v, %q", err, values(&h))
	}
	if _, err := ParseHead([]byte(libtorrentHead), &h); err != nil || h.AddrInstances() != 0 {
		t.Errorf("%v, %d instances left over", err, h.AddrInstances())
	}
	h.AddrHeader = []byte("HOST")
	if _, err := ParseHead([]byte(libtorrentHead), &h); err != nil || len(values(&h)) != 1 || string(h.Host) != values(&h)[0] {
		t.Errorf("%v, %q", err, values(&h))
	}
}

// checkSplits feeds in a byte at a time, with the resume offset carried along as
// a server does and without it, and wants the verdict of the whole.
func checkSplits(t *testing.T, in []byte) {
	t.Helper()
	var whole, resumed, fresh Head
	whole.AddrHeader = []byte("x-forwarded-for")
	resumed.AddrHeader = whole.AddrHeader
	wantN, want := ParseHead(in, &whole)
	early := false // a verdict on a fresh Head, which all later ones must keep
	for i := range len(in) + 1 {
		if _, err := ParseHead(in[:i], &fresh); err != ErrIncomplete {
			if early = true; err != want {
				t.Fatalf("%d bytes of %q: %v, whole: %v", i, in, err, want)
			}
		} else if early {
			t.Fatalf("%d bytes of %q: incomplete again", i, in)
		}
		fresh.From = 0
	}
	for i := range len(in) + 1 {
		n, err := ParseHead(in[:i], &resumed)
		if err == ErrIncomplete {
			if resumed.From > i || i == len(in) && want != ErrIncomplete {
				t.Fatalf("%d bytes of %q: incomplete, from %d, whole: %v", i, in, resumed.From, want)
			}
			continue
		}
		if n != wantN || err != want || resumed.From != 0 {
			t.Fatalf("%d bytes of %q: %d, %v; whole: %d, %v", i, in, n, err, wantN, want)
		}
		if err == nil && (resumed.KeepAlive != whole.KeepAlive || string(resumed.Host) != string(whole.Host) ||
			string(resumed.Query) != string(whole.Query) || resumed.AddrInstances() != whole.AddrInstances()) {
			t.Fatalf("%q: split head differs", in)
		}
		return
	}
}

func TestParseHeadAllocatesNothing(t *testing.T) {
	h := Head{AddrHeader: []byte("X-Forwarded-For")}
	inputs := [][]byte{
		[]byte(libtorrentHead), []byte(cloudflareHead), []byte(browserHead), []byte("GET http://a/b HTTP/1.0\r\n\r\n"),
		[]byte("GET / HTTP/1.1\r\nHost: a\r\n"), []byte("\x16\x03"), []byte("POST / HTTP/1.1\r\n\r\n"),
	}
	var sink error
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range inputs {
			h.From = 0
			_, sink = ParseHead(in, &h)
		}
	}); n != 0 {
		t.Errorf("%v allocations, last error %v", n, sink)
	}
}

func BenchmarkParseHead(b *testing.B) {
	for _, c := range []struct{ name, head string }{
		{"libtorrent", libtorrentHead}, {"browser", browserHead}, {"cloudflare", cloudflareHead},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.head)
			h := Head{AddrHeader: []byte("X-Forwarded-For")}
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, _ := ParseHead(in, &h); n != len(in) {
					b.Fatal(n)
				}
			}
		})
	}
	b.Run("dribble", func(b *testing.B) { // a whole head of MaxHead bytes, one byte a call
		in := []byte("GET /" + strings.Repeat("a", 4000) + " HTTP/1.1\r\nA: " + strings.Repeat("a", MaxHead))
		var h Head
		for b.Loop() {
			h.From = 0
			for i := range MaxHead {
				if _, err := ParseHead(in[:i], &h); err != ErrIncomplete {
					b.Fatal(err)
				}
			}
		}
	})
}
