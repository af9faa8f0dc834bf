package ipaddr

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func newSet(tb testing.TB, prefixes ...netip.Prefix) *PrefixSet {
	tb.Helper()
	s, err := NewPrefixSet(prefixes)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestPrefixSetOfLocalPrefixes(t *testing.T) {
	s := newSet(t, LocalPrefixes()...)
	for _, in := range []string{
		"127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
		"192.168.0.1", "169.254.169.254", "::1", "fc00::", "fdff:ffff::1", "fe80::1", "febf::1", "fe80::1%eth0",
		"::ffff:10.1.2.3", "::ffff:127.0.0.1",
	} {
		if !s.Contains(netip.MustParseAddr(in)) {
			t.Errorf("%s is not in the set", in)
		}
	}
	for _, out := range []string{
		"126.255.255.255", "128.0.0.0", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255",
		"192.169.0.0", "0.0.0.0", "255.255.255.255", "::", "::2", "::7f00:1", "fbff::", "fe00::", "fec0::", "2001:db8::1",
		"::ffff:11.0.0.0", "ffff::",
	} {
		if s.Contains(netip.MustParseAddr(out)) {
			t.Errorf("%s is in the set", out)
		}
	}
	if s.Contains(netip.Addr{}) {
		t.Error("the zero Addr is in the set")
	}
	if (*PrefixSet)(nil).Contains(netip.MustParseAddr("127.0.0.1")) || newSet(t).Contains(netip.MustParseAddr("::1")) {
		t.Error("an empty set holds something")
	}
}

func TestPrefixSetInvalid(t *testing.T) {
	if s, err := NewPrefixSet([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), {}}); err == nil || s != nil {
		t.Errorf("an invalid prefix gave %v, %v", s, err)
	}
}

// TestPrefixSetAgainstPrefixes compares with netip, prefix by prefix, on
// overlapping prefixes of every length and on addresses near their ends.
func TestPrefixSetAgainstPrefixes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	addr := func() netip.Addr {
		var b [16]byte
		for i := range b {
			if rng.IntN(2) == 0 { // many zeros, so that prefixes meet
				b[i] = byte(rng.Uint32())
			}
		}
		if rng.IntN(2) == 0 {
			return netip.AddrFrom4([4]byte(b[:4]))
		}
		return netip.AddrFrom16(b)
	}
	for range 300 {
		prefixes := make([]netip.Prefix, rng.IntN(12))
		for i := range prefixes {
			a := addr()
			prefixes[i] = netip.PrefixFrom(a, rng.IntN(a.BitLen()+1))
		}
		s := newSet(t, prefixes...)
		check := func(a netip.Addr) {
			want := false
			for _, p := range prefixes {
				want = want || p.Contains(a)
			}
			if s.Contains(a) != want {
				t.Fatalf("%v contains %v: %v, want %v", prefixes, a, !want, want)
			}
		}
		for range 50 {
			check(addr())
		}
		for _, p := range prefixes {
			first := p.Masked().Addr()
			check(first)
			if before := first.Prev(); before.IsValid() {
				check(before)
			}
		}
	}
	mapped := newSet(t, netip.MustParsePrefix("::ffff:10.0.0.0/104"))
	if !mapped.Contains(netip.MustParseAddr("10.9.8.7")) || mapped.Contains(netip.MustParseAddr("11.0.0.0")) {
		t.Error("an IPv4-mapped prefix is not its IPv4 prefix")
	}
}

func BenchmarkPrefixSetContains(b *testing.B) {
	s := newSet(b, LocalPrefixes()...)
	for _, name := range []string{"203.0.113.7", "192.168.1.1", "2001:db8::1"} {
		addr := netip.MustParseAddr(name)
		b.Run(name, func(b *testing.B) {
			in := 0
			for b.Loop() {
				if s.Contains(addr) {
					in++
				}
			}
		})
	}
}
