package http1

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

// v2 returns a version 2 header: command, family and transport, block, and a
// length of its own when one is given.
func v2(command, family byte, block string, length ...int) string {
	n := len(block)
	if len(length) > 0 {
		n = length[0]
	}
	return v2Signature + string([]byte{command, family, byte(n >> 8), byte(n)}) + block
}

const (
	block4 = "\xcb\x00\x71\x07\xc0\x00\x02\x01\xc8\xd5\x00\x50"
	block6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xc8\xd5\x00\x50"
	blockMapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xc8\xd5\x00\x50"
	client4 = "203.0.113.7:51413"
	client6 = "[2001:db8::7]:51413"
	isLocal = "local"
)

func TestParseProxyHeader(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"v1 TCP4", "PROXY TCP4 203.0.113.7 192.0.2.1 51413 80\r\n", client4},
		{"v1 TCP6", "PROXY TCP6 2001:db8::7 2001:DB8:0:0:0:0:0:1 51413 80\r\n", client6},
		{"v1 TCP6 mapped", "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 51413 80\r\n", client4},
		{"v1 TCP6 with IPv4, as nginx sends it", "PROXY TCP6 203.0.113.7 2001:db8::1 51413 80\r\n", client4},
		{"v1 ports 0 and 65535", "PROXY TCP4 203.0.113.7 192.0.2.1 0 65535\r\n", "203.0.113.7:0"},
		{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", isLocal},
		{"v1 UNKNOWN with addresses", "PROXY UNKNOWN ffff:: 1.2.3.4 x y\r\n", isLocal},
		{"v1 UNKNOWN, longest", "PROXY UNKNOWN " + strings.Repeat("x", v1Max-16) + "\r\n", isLocal},
		{"v2 TCP4", v2(v2Proxy, 0x11, block4), client4},
		{"v2 UDP4", v2(v2Proxy, 0x12, block4), client4},
		{"v2 TCP6", v2(v2Proxy, 0x21, block6), client6},
		{"v2 UDP6", v2(v2Proxy, 0x22, block6), client6},
		{"v2 TCP6 mapped", v2(v2Proxy, 0x21, blockMapped), client4},
		{"v2 TLVs", v2(v2Proxy, 0x11, block4+"\x04\x00\x03abc"), client4},
		{"v2 TLVs, longest", v2(v2Proxy, 0x11, block4+strings.Repeat("x", MaxProxyHeader-28)), client4},
		{"v2 LOCAL", v2(v2Local, 0x00, ""), isLocal},
		{"v2 LOCAL with a block", v2(v2Local, 0x11, block4), isLocal},
		{"v2 LOCAL with a short block", v2(v2Local, 0x21, "abc"), isLocal},
		{"v2 UNSPEC", v2(v2Proxy, 0x00, ""), isLocal},
		{"v2 UNSPEC with TLVs", v2(v2Proxy, 0x00, "\x04\x00\x01a"), isLocal},
		{"v2 unix", v2(v2Proxy, 0x31, strings.Repeat("/", 216)), isLocal},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(c.in + "GET / HTTP/1.1\r\n")
			n, src, local, err := ParseProxyHeader(in)
			got := src.String()
			if local {
				got = isLocal
			}
			if err != nil || n != len(c.in) || got != c.want || local == src.IsValid() {
				t.Errorf("%q: %d, %v, %v, %v; want %d, %s", c.in, n, src, local, err, len(c.in), c.want)
			}
			for i := range c.in {
				n, src, local, err := ParseProxyHeader(in[:i])
				if err != ErrIncomplete || n != 0 || local || src.IsValid() {
					t.Fatalf("%d bytes of %q: %d, %v, %v, %v", i, c.in, n, src, local, err)
				}
			}
		})
	}
}

// TestParseProxyHeaderRefuses gives each input up to the byte that settles it:
// without that byte it is incomplete, with it and anything after it refused.
func TestParseProxyHeaderRefuses(t *testing.T) {
	for _, c := range []struct{ name, in string }{
		{"a request", "G"},
		{"a request that starts alike", "PU"},
		{"PROXY without space", "PROXYT"},
		{"TLS", "\x16"},
		{"empty lines", "\r\nG"},
		{"v1 other protocol", "PROXY U" + "D"},
		{"v1 TCP5", "PROXY TCP5"},
		{"v1 two spaces", "PROXY TCP4  "},
		{"v1 letter in IPv4", "PROXY TCP4 203.0.113.a"},
		{"v1 IPv6 in TCP4", "PROXY TCP4 2001:"},
		{"v1 no IPv4", "PROXY TCP4 203.0.113 "},
		{"v1 leading zero", "PROXY TCP4 203.0.113.07 "},
		{"v1 long address", "PROXY TCP4 1234567890123456"},
		{"v1 no IPv6", "PROXY TCP6 2001:db8 "},
		{"v1 zone", "PROXY TCP6 fe80::1%"},
		{"v1 unspecified", "PROXY TCP4 0.0.0.0 "},
		{"v1 broadcast", "PROXY TCP4 255.255.255.255 "},
		{"v1 destination", "PROXY TCP4 203.0.113.7 x"},
		{"v1 no port", "PROXY TCP4 203.0.113.7 192.0.2.1  "},
		{"v1 port with zero", "PROXY TCP4 203.0.113.7 192.0.2.1 080 "},
		{"v1 port 65536", "PROXY TCP4 203.0.113.7 192.0.2.1 65536 "},
		{"v1 long port", "PROXY TCP4 203.0.113.7 192.0.2.1 655355"},
		{"v1 signed port", "PROXY TCP4 203.0.113.7 192.0.2.1 -"},
		{"v1 last port", "PROXY TCP4 203.0.113.7 192.0.2.1 1 80 "},
		{"v1 bare LF", "PROXY TCP4 203.0.113.7 192.0.2.1 1 80\n"},
		{"v1 bare CR", "PROXY TCP4 203.0.113.7 192.0.2.1 1 80\rG"},
		{"v1 UNKNOWNS", "PROXY UNKNOWNS"},
		{"v1 UNKNOWN, bare LF", "PROXY UNKNOWN\n"},
		{"v1 UNKNOWN, bare CR", "PROXY UNKNOWN x\ry"},
		{"v1 UNKNOWN, endless", "PROXY UNKNOWN " + strings.Repeat("x", v1Max-14)},
		{"v2 version 1", v2Signature + "\x11"},
		{"v2 version 3", v2Signature + "\x31"},
		{"v2 command 2", v2Signature + "\x22"},
		{"v2 family 4", v2Signature + "\x21\x41"},
		{"v2 transport 3", v2Signature + "\x21\x13"},
		{"v2 transport 0 with a family", v2Signature + "\x21\x10"},
		{"v2 LOCAL, undefined family", v2Signature + "\x20\xff"},
		{"v2 short block", v2(v2Proxy, 0x11, "", 11)},
		{"v2 short IPv6 block", v2(v2Proxy, 0x21, "", 35)},
		{"v2 short unix block", v2(v2Proxy, 0x31, "", 215)},
		{"v2 too long", v2(v2Proxy, 0x11, "", MaxProxyHeader-15)},
		{"v2 LOCAL too long", v2(v2Local, 0x00, "", 65535)},
		{"v2 unspecified", v2(v2Proxy, 0x11, strings.Repeat("\x00", 12))},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(c.in)
			for i := range in {
				if _, _, _, err := ParseProxyHeader(in[:i]); err != ErrIncomplete {
					t.Fatalf("%d bytes of %q: %v", i, in, err)
				}
			}
			for _, in := range [][]byte{in, append(in, strings.Repeat("\r\n", 9000)...)} {
				if n, src, local, err := ParseProxyHeader(in); err != ErrProxyHeader || n != 0 || local || src.IsValid() {
					t.Fatalf("%q: %d, %v, %v, %v", c.in, n, src, local, err)
				}
			}
		})
	}
}

// TestParseProxyHeaderOfGoProxyproto parses what another implementation writes,
// and lets it parse the same bytes.
func TestParseProxyHeaderOfGoProxyproto(t *testing.T) {
	for _, source := range []string{client4, client6, "1.2.3.4:0", "[fe80::1]:65535"} {
		for version := byte(1); version <= 2; version++ {
			src := netip.MustParseAddrPort(source)
			header := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(src), net.TCPAddrFromAddrPort(src))
			if version == 2 {
				if err := header.SetTLVs([]proxyproto.TLV{{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: []byte("example.org")}}); err != nil {
					t.Fatal(err)
				}
			}
			in, err := header.Format()
			if err != nil {
				t.Fatal(err)
			}
			n, got, local, err := ParseProxyHeader(in)
			if err != nil || local || n != len(in) || got != src {
				t.Errorf("version %d, %s: %d, %v, %v, %v", version, source, n, got, local, err)
			}
			compareWithGoProxyproto(t, in)
		}
	}
	for _, in := range []string{
		"PROXY UNKNOWN x\r\n", v2(v2Local, 0x21, block6), v2(v2Proxy, 0x21, blockMapped), v2(v2Local, 0, "abc"),
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
	} {
		compareWithGoProxyproto(t, []byte(in))
	}
}

// compareWithGoProxyproto wants whatever we take to be taken by go-proxyproto
// with the same result, apart from what we are documented to take beyond it.
func compareWithGoProxyproto(t *testing.T, in []byte) {
	t.Helper()
	n, src, local, err := ParseProxyHeader(in)
	if err != nil {
		return
	}
	r := bufio.NewReaderSize(bytes.NewReader(in), MaxProxyHeader+1)
	header, err := proxyproto.Read(r)
	if err != nil {
		if in[0] == 'P' && bytes.HasPrefix(in, []byte("PROXY TCP6")) && src.Addr().Is4() ||
			bytes.HasPrefix(in[:n], []byte("PROXY TCP6 ")) && bytes.Count(in[:n], []byte(":")) < 4 ||
			in[0] == '\r' && in[12] == v2Proxy && in[13] == 0 {
			return // IPv4 in a TCP6 line; PROXY with an unspecified family
		}
		t.Fatalf("%q: we took it, go-proxyproto says %v", in, err)
	}
	rest, _ := r.Peek(len(in) - n)
	if r.Buffered() != len(in)-n || !bytes.Equal(rest, in[n:]) {
		t.Fatalf("%q: we took %d bytes, go-proxyproto left %d", in, n, r.Buffered())
	}
	if local {
		if _, isTCP := header.SourceAddr.(*net.TCPAddr); isTCP && !header.Command.IsLocal() {
			t.Fatalf("%q: local for us, %v for go-proxyproto", in, header.SourceAddr)
		}
		return
	}
	theirs, err := netip.ParseAddrPort(fmt.Sprint(header.SourceAddr))
	if err != nil || netip.AddrPortFrom(theirs.Addr().Unmap(), theirs.Port()) != src {
		t.Fatalf("%q: %v for us, %v for go-proxyproto (%v)", in, src, header.SourceAddr, err)
	}
}

func TestParseProxyHeaderAllocatesNothing(t *testing.T) {
	inputs := [][]byte{
		[]byte("PROXY TCP6 2001:db8::7 2001:db8::1 51413 80\r\n"), []byte(v2(v2Proxy, 0x21, block6)),
		[]byte("PROXY TCP4 203.0.113.7 1"), []byte("PROXY TCP4 203.0.113.777 1"),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range inputs {
			ParseProxyHeader(in)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkParseProxyHeader(b *testing.B) {
	for _, c := range []struct{ name, in string }{
		{"v1 TCP4", "PROXY TCP4 203.0.113.7 192.0.2.1 51413 80\r\n"},
		{"v1 TCP6", "PROXY TCP6 2001:db8:1234:5678:9abc:def0:1234:5678 2001:db8::1 51413 80\r\n"},
		{"v2 TCP4", v2(v2Proxy, 0x11, block4)},
		{"v2 TCP6", v2(v2Proxy, 0x21, block6)},
	} {
		b.Run(c.name, func(b *testing.B) {
			in := []byte(c.in)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, _, err := ParseProxyHeader(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
