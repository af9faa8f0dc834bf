package http1

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"spate/internal/ipaddr"
)

func FuzzParseHead(f *testing.F) {
	for _, seed := range []string{
		libtorrentHead, transmissionHead, aria2Head, ctorrentHead, unworkableHead + "\x00", uTorrentHead, abHead, lftpHead,
		browserHead, cloudflareHead, libtorrentHead + abHead, "\r\nHEAD http://a?b HTTP/1.0\r\n\r\n", "POST / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nA: \r", "GET / HTTP/1.1\r\nContent-Length: 0\r\nX: \x00\r\n\r\n",
		"GET /" + strings.Repeat("a", MaxHead), "GET / HTTP/1.1\r\nA: " + strings.Repeat("a", MaxHead), "\x13BitTorrent protocol", "\x16\x03\x01",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		h := Head{AddrHeader: []byte("X-Forwarded-For")}
		n, err := ParseHead(in, &h)
		if (n > 0) != (err == nil) || n > len(in) || n > MaxHead {
			t.Fatalf("%d of %d bytes, %v", n, len(in), err)
		}
		if err == nil {
			parts := [][]byte{h.Path, h.Query, h.Host}
			for i := range h.AddrInstances() {
				parts = append(parts, h.AddrValue(i))
			}
			for _, part := range parts {
				if !within(part, in[:n]) {
					t.Fatalf("%q lies outside of the head", part)
				}
			}
			if len(h.Path) == 0 || h.Path[0] != '/' || bytes.ContainsAny(h.Path, " \r\n") || bytes.ContainsAny(h.Query, " \r\n") {
				t.Fatalf("path %q, query %q", h.Path, h.Query)
			}
		}
		if len(in) < 2048 { // splitting costs the square of the length
			checkSplits(t, in)
		}
	})
}

// within reports whether part is a slice of whole's memory.
func within(part, whole []byte) bool {
	if len(part) == 0 {
		return true
	}
	at := uintptr(unsafe.Pointer(&part[0])) - uintptr(unsafe.Pointer(&whole[0]))
	return at+uintptr(len(part)) <= uintptr(len(whole))
}

// FuzzClientAddr puts whatever a client may send before what a trusted proxy
// appends: it may cost the client its answer, never give it another address.
func FuzzClientAddr(f *testing.F) {
	for _, seed := range []string{
		"", "198.51.100.1", "10.0.0.1, 10.0.0.2", "for=198.51.100.1", `for="198.51.100.1`, `for=198.51.100.1;x="`, `for="[2001:db8::1]:80"`,
		`x="\`, "for=_a, for=unknown", ",;,", "<garbage>", `a="b";for=10.0.0.1,`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	trusted := newSet(f, ipaddr.LocalPrefixes()...)
	source := netip.MustParseAddr("192.168.1.1")
	client := netip.MustParseAddr("203.0.113.7")
	f.Fuzz(func(t *testing.T, sent []byte, ownLine bool) {
		if bytes.ContainsAny(sent, "\r\n") {
			return // more than one value: another request, or none
		}
		separator := ", "
		if ownLine {
			separator = "\r\nX: "
		}
		for _, c := range []struct {
			appended string
			format   AddrFormat
			fails    bool // the client can bring about a failure of its own request
		}{
			{"203.0.113.7", AddrFormatLast, false},
			{"203.0.113.7:123, 10.0.0.1", AddrFormatLast, false},
			{"for=203.0.113.7;proto=http, for=10.0.0.1", AddrFormatForwarded, !ownLine},
			{`for="203.0.113.7:80";host="a"`, AddrFormatForwarded, !ownLine},
		} {
			in := append(append([]byte("GET / HTTP/1.1\r\nX: "), sent...), separator+c.appended+"\r\n\r\n"...)
			h := Head{AddrHeader: []byte("x")}
			if _, err := ParseHead(in, &h); err != nil {
				continue
			}
			got, err := ClientAddr(source, &h, c.format, trusted)
			if err == nil && got != client || err != nil && (got.IsValid() || !c.fails) {
				t.Fatalf("%q: %v, %v", in, got, err)
			}
		}
		h := Head{AddrHeader: []byte("x"), addrSeen: 1}
		h.addrs[0] = sent
		for format := AddrFormatLast; format <= AddrFormatSingle; format++ {
			got, err := ClientAddr(source, &h, format, trusted)
			if got.IsValid() != (err == nil) || err == nil && (got.Is4In6() || got.Zone() != "" || !ipaddr.Usable(got)) {
				t.Fatalf("%q: %v, %v", sent, got, err)
			}
		}
	})
}

func FuzzParseProxyHeader(f *testing.F) {
	for _, seed := range []string{
		"PROXY TCP4 203.0.113.7 192.0.2.1 51413 80\r\nGET", "PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "PROXY UNKNOWN x\r\n",
		"PROXY TCP6 1.2.3.4 ::1 1 2\r\n", v2(v2Proxy, 0x11, block4) + "GET", v2(v2Proxy, 0x21, blockMapped+"\x04\x00\x01a"),
		v2(v2Local, 0x00, ""), v2(v2Proxy, 0x31, strings.Repeat("/", 216)), v2(v2Local, 0x21, "abc"), "GET / HTTP/1.1\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, src, local, err := ParseProxyHeader(in)
		if err == nil && (n == 0 || n > len(in) || local == src.IsValid()) || err != nil && (n != 0 || local || src.IsValid()) {
			t.Fatalf("%q: %d, %v, %v, %v", in, n, src, local, err)
		}
		settled := false
		for i := range min(len(in), 512) {
			gotN, got, _, gotErr := ParseProxyHeader(in[:i])
			if gotErr == ErrIncomplete {
				if settled {
					t.Fatalf("%d bytes of %q: incomplete again", i, in)
				}
				continue
			}
			if settled = true; gotN != n || got != src || gotErr != err {
				t.Fatalf("%d bytes of %q: %d, %v, %v; whole: %d, %v, %v", i, in, gotN, got, gotErr, n, src, err)
			}
		}
		compareWithGoProxyproto(t, in)
	})
}

func FuzzParseReplyHead(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.0 404\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var r, split ReplyHead
		n, err := ParseReplyHead(in, &r)
		if (n > 0) != (err == nil) || n > len(in) || err != nil && r != (ReplyHead{}) {
			t.Fatalf("%q: %d, %v, %+v", in, n, err, r)
		}
		for i := range min(len(in), 512) {
			if gotN, gotErr := ParseReplyHead(in[:i], &split); gotErr != ErrIncomplete && (gotN != n || gotErr != err || split != r) {
				t.Fatalf("%d bytes of %q: %d, %v; whole: %d, %v", i, in, gotN, gotErr, n, err)
			}
		}
	})
}
