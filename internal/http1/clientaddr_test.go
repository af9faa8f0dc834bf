package http1

import (
	"net/netip"
	"strings"
	"testing"

	"spate/internal/ipaddr"
)

// newSet returns the set of prefixes.
func newSet(tb testing.TB, prefixes ...netip.Prefix) *ipaddr.PrefixSet {
	tb.Helper()
	s, err := ipaddr.NewPrefixSet(prefixes)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// proxied returns the head of a request with the given lines of header.
func proxied(tb testing.TB, header string, values ...string) *Head {
	tb.Helper()
	in := "GET /announce HTTP/1.1\r\nHost: a\r\n"
	for _, v := range values {
		in += header + ": " + v + "\r\n"
	}
	h := &Head{AddrHeader: []byte(strings.ToUpper(header))}
	if _, err := ParseHead([]byte(in+"\r\n"), h); err != nil {
		tb.Fatalf("%q: %v", in, err)
	}
	return h
}

// addrCase is a row: lines of the header from a proxy at 10.0.0.1, and the
// client's address, or the error.
type addrCase struct {
	name  string
	lines []string
	want  string
	err   error
}

func runAddrCases(t *testing.T, header string, format AddrFormat, cases []addrCase) {
	t.Helper()
	trusted := newSet(t, ipaddr.LocalPrefixes()...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := proxied(t, header, c.lines...)
			got, err := ClientAddr(netip.MustParseAddr("10.0.0.1"), h, format, trusted)
			if err != c.err || err == nil && got.String() != c.want || err != nil && got.IsValid() {
				t.Errorf("%q: %v, %v; want %s, %v", c.lines, got, err, c.want, c.err)
			}
			stranger := netip.MustParseAddr("::ffff:198.51.100.9")
			if got, err := ClientAddr(stranger, h, format, trusted); err != nil || got != stranger.Unmap() {
				t.Errorf("%q from a stranger: %v, %v", c.lines, got, err)
			}
		})
	}
}

func TestClientAddrLast(t *testing.T) {
	runAddrCases(t, "X-Forwarded-For", AddrFormatLast, []addrCase{
		{"one", []string{"203.0.113.7"}, "203.0.113.7", nil},
		{"IPv6", []string{"2001:DB8::7"}, "2001:db8::7", nil},
		{"two proxies", []string{"203.0.113.7, 192.168.1.1"}, "203.0.113.7", nil},
		{"no spaces", []string{"203.0.113.7,192.168.1.1,10.2.3.4"}, "203.0.113.7", nil},
		{"over two lines", []string{"203.0.113.7", "192.168.1.1"}, "203.0.113.7", nil},
		{"port", []string{"203.0.113.7:51413"}, "203.0.113.7", nil},
		{"brackets", []string{"[2001:db8::7]"}, "2001:db8::7", nil},
		{"brackets and port", []string{"[2001:db8::7]:51413"}, "2001:db8::7", nil},
		{"mapped", []string{"::ffff:203.0.113.7"}, "203.0.113.7", nil},
		{"mapped proxy", []string{"203.0.113.7, ::ffff:10.0.0.9"}, "203.0.113.7", nil},
		{"mapped, hexadecimal, brackets", []string{"[::FFFF:cb00:7107]:1"}, "203.0.113.7", nil},
		{"zone", []string{"203.0.113.7, fe80::1%eth0"}, "203.0.113.7", nil},
		{"zone in brackets", []string{"203.0.113.7, [fe80::1%25eth0]:80"}, "203.0.113.7", nil},
		{"empty entries", []string{"203.0.113.7,, ,"}, "203.0.113.7", nil},
		{"empty line after", []string{"203.0.113.7", ""}, "203.0.113.7", nil},
		{"all trusted", []string{"192.168.1.50, 10.0.0.3"}, "192.168.1.50", nil},
		{"all trusted, two lines", []string{"192.168.1.50", "10.0.0.4, 10.0.0.3"}, "192.168.1.50", nil},

		{"spoofed left entry", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7", nil},
		{"spoofed line before", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7", nil},
		{"spoofed trusted entries", []string{"10.9.9.9, 203.0.113.7, 10.0.0.2"}, "203.0.113.7", nil},
		{"garbage left of the client", []string{"' OR 1=1 --, 203.0.113.7"}, "203.0.113.7", nil},
		{"garbage line before", []string{"<script>", "203.0.113.7, 10.0.0.2"}, "203.0.113.7", nil},
		{"spoof behind many lines", append(strings.Split(strings.Repeat("198.51.100.1|", 20), "|"), "203.0.113.7"), "203.0.113.7", nil},

		{"garbage right of the client", []string{"203.0.113.7, unknown"}, "", ErrAddrUnusable},
		{"garbage right, then a proxy", []string{"203.0.113.7, -, 10.0.0.2"}, "", ErrAddrUnusable},
		{"garbage on the last line", []string{"203.0.113.7", "unknown"}, "", ErrAddrUnusable},
		{"garbage left of own network", []string{"junk, 10.0.0.2"}, "", ErrAddrUnusable},
		{"more lines than kept, all trusted", strings.Split(strings.Repeat("10.0.0.2|", MaxAddrHeaders)+"10.0.0.3", "|"), "", ErrAddrUnusable},
		{"no line", nil, "", ErrAddrMissing},
		{"empty", []string{""}, "", ErrAddrMissing},
		{"only commas", []string{",", " , "}, "", ErrAddrMissing},
		{"unspecified", []string{"0.0.0.0"}, "", ErrAddrUnusable},
		{"unspecified, IPv6", []string{"::"}, "", ErrAddrUnusable},
		{"multicast", []string{"239.1.1.1"}, "", ErrAddrUnusable},
		{"broadcast", []string{"255.255.255.255"}, "", ErrAddrUnusable},
		{"broadcast, mapped", []string{"::ffff:255.255.255.255"}, "", ErrAddrUnusable},
		{"leading zero", []string{"203.0.113.07"}, "", ErrAddrUnusable},
		{"three numbers", []string{"203.0.113"}, "", ErrAddrUnusable},
		{"a number", []string{"3405803783"}, "", ErrAddrUnusable},
		{"over 255", []string{"203.0.113.256"}, "", ErrAddrUnusable},
		{"port of letters", []string{"203.0.113.7:http"}, "", ErrAddrUnusable},
		{"port missing", []string{"203.0.113.7:"}, "", ErrAddrUnusable},
		{"port of six digits", []string{"203.0.113.7:123456"}, "", ErrAddrUnusable},
		{"bracket open", []string{"[2001:db8::7"}, "", ErrAddrUnusable},
		{"IPv4 in brackets", []string{"[203.0.113.7]"}, "", ErrAddrUnusable},
		{"two gaps", []string{"2001::db8::7"}, "", ErrAddrUnusable},
		{"zone empty", []string{"fe80::1%"}, "", ErrAddrUnusable},
		{"quotes", []string{`"203.0.113.7"`}, "", ErrAddrUnusable},
		{"Forwarded syntax", []string{"for=203.0.113.7"}, "", ErrAddrUnusable},
		{"space inside", []string{"203.0.113.7 10.0.0.1"}, "", ErrAddrUnusable},
		{"a whole escape", []string{"%32%30"}, "", ErrAddrUnusable},
	})
}

func TestClientAddrForwarded(t *testing.T) {
	runAddrCases(t, "Forwarded", AddrFormatForwarded, []addrCase{
		{"one", []string{"for=203.0.113.7"}, "203.0.113.7", nil},
		{"letter case", []string{"FoR=203.0.113.7"}, "203.0.113.7", nil},
		{"pairs", []string{"for=203.0.113.7;proto=http;by=203.0.113.43"}, "203.0.113.7", nil},
		{"for last", []string{"proto=https;host=tracker.example.org;for=203.0.113.7"}, "203.0.113.7", nil},
		{"quoted IPv6", []string{`for="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17", nil},
		{"quoted IPv4 with port", []string{`for="203.0.113.7:4711"`}, "203.0.113.7", nil},
		{"obfuscated port", []string{`for="203.0.113.7:_abc.d"`}, "203.0.113.7", nil},
		{"unquoted IPv6", []string{"for=[2001:db8::17]:4711"}, "2001:db8::17", nil},
		{"spaces", []string{" for=203.0.113.7 ; proto=http ,\tfor=10.0.0.2 "}, "203.0.113.7", nil},
		{"empty elements and pairs", []string{",for=203.0.113.7;;proto=http;,, ,"}, "203.0.113.7", nil},
		{"separators in quotes", []string{`for=203.0.113.7;host="a,for=198.51.100.1;\",x"`}, "203.0.113.7", nil},
		{"extension", []string{"secret=_x;for=203.0.113.7;foo=bar"}, "203.0.113.7", nil},
		{"two proxies", []string{"for=203.0.113.7, for=192.168.1.1"}, "203.0.113.7", nil},
		{"two lines", []string{"for=203.0.113.7", "for=10.1.1.1, for=192.168.1.1"}, "203.0.113.7", nil},
		{"all trusted", []string{"for=192.168.1.50", "for=10.0.0.3"}, "192.168.1.50", nil},
		{"mapped", []string{`for="[::ffff:203.0.113.7]"`}, "203.0.113.7", nil},

		{"spoofed element", []string{"for=198.51.100.1, for=203.0.113.7"}, "203.0.113.7", nil},
		{"spoofed line", []string{"for=198.51.100.1", "for=203.0.113.7"}, "203.0.113.7", nil},
		{"hidden left of the client", []string{"for=_hidden, for=203.0.113.7, for=10.0.0.2"}, "203.0.113.7", nil},
		{"quote left open on a line before", []string{`for="198.51.100.1`, "for=203.0.113.7"}, "203.0.113.7", nil},
		{"quote left open swallows the proxy's", []string{`for="198.51.100.1, for=203.0.113.7`}, "", ErrAddrUnusable},
		{"quote left open, proxy quotes", []string{`for=198.51.100.1;x=", for="[2001:db8::17]:1"`}, "", ErrAddrUnusable},
		{"quote left open, escape", []string{`for=198.51.100.1;x="\, for="[2001:db8::17]"`}, "", ErrAddrUnusable},

		{"unknown", []string{"for=unknown"}, "", ErrAddrUnusable},
		{"unknown right of the client", []string{"for=203.0.113.7, for=unknown"}, "", ErrAddrUnusable},
		{"hidden, then a proxy", []string{"for=203.0.113.7, for=_gazonk", "for=10.0.0.2"}, "", ErrAddrUnusable},
		{"element without for", []string{"for=203.0.113.7, proto=http;by=10.0.0.1"}, "", ErrAddrUnusable},
		{"for twice", []string{"for=198.51.100.1;for=203.0.113.7"}, "", ErrAddrUnusable},
		{"empty value", []string{"for="}, "", ErrAddrUnusable},
		{"empty quoted value", []string{`for=""`}, "", ErrAddrUnusable},
		{"no value", []string{"for"}, "", ErrAddrUnusable},
		{"escaped address", []string{`for="203.0.113.\7"`}, "", ErrAddrUnusable},
		{"text after quotes", []string{`for="203.0.113.7"x`}, "", ErrAddrUnusable},
		{"quote inside", []string{`for=203.0.113.7"`}, "", ErrAddrUnusable},
		{"space around =", []string{"for = 203.0.113.7"}, "", ErrAddrUnusable},
		{"X-Forwarded-For syntax", []string{"203.0.113.7"}, "", ErrAddrUnusable},
		{"no line", nil, "", ErrAddrMissing},
		{"empty", []string{"", " , ;"}, "", ErrAddrMissing},
		{"more lines than kept", strings.Split(strings.Repeat("for=10.0.0.2|", MaxAddrHeaders)+"for=10.0.0.3", "|"), "", ErrAddrUnusable},
	})
}

func TestClientAddrSingle(t *testing.T) {
	runAddrCases(t, "CF-Connecting-IP", AddrFormatSingle, []addrCase{
		{"IPv4", []string{"203.0.113.7"}, "203.0.113.7", nil},
		{"IPv6", []string{"2001:db8::7"}, "2001:db8::7", nil},
		{"mapped", []string{"::ffff:203.0.113.7"}, "203.0.113.7", nil},
		{"port", []string{"203.0.113.7:1234"}, "203.0.113.7", nil},
		{"own network", []string{"192.168.1.50"}, "192.168.1.50", nil},
		{"spoofed line before", []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7", nil},
		{"list", []string{"198.51.100.1, 203.0.113.7"}, "", ErrAddrUnusable},
		{"garbage", []string{"localhost"}, "", ErrAddrUnusable},
		{"empty", []string{"203.0.113.7", ""}, "", ErrAddrMissing},
		{"no line", nil, "", ErrAddrMissing},
	})
}

func TestClientAddrSource(t *testing.T) {
	trusted := newSet(t, netip.MustParsePrefix("203.0.113.0/24"))
	h := proxied(t, "X-Forwarded-For", "198.51.100.1")
	for source, want := range map[string]string{
		"203.0.113.9":        "198.51.100.1",
		"::ffff:203.0.113.9": "198.51.100.1",
		"10.0.0.1":           "10.0.0.1", // not in this set
		"fe80::1%eth0":       "fe80::1",
	} {
		if got, err := ClientAddr(netip.MustParseAddr(source), h, AddrFormatLast, trusted); err != nil || got.String() != want {
			t.Errorf("source %s: %v, %v; want %s", source, got, err, want)
		}
	}
	if got, err := ClientAddr(netip.Addr{}, h, AddrFormatLast, nil); err != nil || got.String() != "198.51.100.1" {
		t.Errorf("unix socket: %v, %v", got, err)
	}
	if got, err := ClientAddr(netip.MustParseAddr("127.0.0.1"), h, AddrFormatLast, nil); err != nil || got.String() != "127.0.0.1" {
		t.Errorf("no trusted proxies: %v, %v", got, err)
	}
}

func TestClientAddrAllocatesNothing(t *testing.T) {
	trusted := newSet(t, ipaddr.LocalPrefixes()...)
	source := netip.MustParseAddr("127.0.0.1")
	last := proxied(t, "X-Forwarded-For", "2001:db8::1%x, 203.0.113.7, [fe80::1%eth0]:80")
	forwarded := proxied(t, "Forwarded", `for="[2001:db8::17]:4711";proto=http, for=10.0.0.1`)
	garbage := proxied(t, "X-Forwarded-For", "2001:db8::1, <garbage>")
	if n := testing.AllocsPerRun(100, func() {
		ClientAddr(source, last, AddrFormatLast, trusted)
		ClientAddr(source, forwarded, AddrFormatForwarded, trusted)
		ClientAddr(source, garbage, AddrFormatLast, trusted)
		ClientAddr(source, garbage, AddrFormatSingle, trusted)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClientAddr(b *testing.B) {
	trusted := newSet(b, ipaddr.LocalPrefixes()...)
	source := netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		name, header, value string
		format              AddrFormat
	}{
		{"last", "X-Forwarded-For", "203.0.113.7", AddrFormatLast},
		{"last two", "X-Forwarded-For", "203.0.113.7, 192.168.100.200", AddrFormatLast},
		{"last IPv6", "X-Forwarded-For", "2001:db8:1234:5678:9abc:def0:1234:5678", AddrFormatLast},
		{"forwarded", "Forwarded", `for="[2001:db8:cafe::17]:4711";proto=http`, AddrFormatForwarded},
		{"single", "X-Real-IP", "203.0.113.7", AddrFormatSingle},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := proxied(b, c.header, c.value)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ClientAddr(source, h, c.format, trusted); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
