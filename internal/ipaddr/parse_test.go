package ipaddr

import (
	"net/netip"
	"testing"
)

// FuzzParse holds the parsers against the standard library's.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"1.2.3.4", "255.255.255.255", "256.1.1.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", "1.2.3.4%x", "", "%x",
		"::", "::1", "1::", "2001:db8::7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::",
		"1:2:3:4:5:6:7:8:9", "1::2::3", "1:::2", ":::", "1:", ":1", "12345::", "::00001", "fe80::1%eth0", "fe80::1%", "::%",
		"::ffff:1.2.3.4", "::ffff:1.2.3.4%x", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1::2:3:4:5:6:7:1.2.3.4",
		"1.2.3.4::", "::1.2.3.4:5", "::1.2.3.04",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		want, err := netip.ParseAddr(string(in))
		want = want.WithZone("").Unmap()
		got4, ok4 := Parse4(in)
		got6, ok6 := Parse6(in)
		if ok4 && ok6 || (ok4 || ok6) != (err == nil) {
			t.Fatalf("%q: IPv4 %v, IPv6 %v, netip %v", in, ok4, ok6, err)
		}
		if got, ok := Parse(in); ok != (err == nil) || got != want || ok4 && got4 != want || ok6 && got6 != want {
			t.Fatalf("%q: %v, IPv4 %v, IPv6 %v, netip %v", in, got, got4, got6, want)
		}
	})
}

func TestParseDoesNotAllocate(t *testing.T) {
	for _, in := range []string{"203.0.113.7", "2001:db8::7", "::ffff:1.2.3.4%eth0", "None", "1:2:3", "fe80::1%"} {
		b := []byte(in)
		if n := testing.AllocsPerRun(100, func() { Parse(b) }); n > 0 {
			t.Errorf("%s: %v allocations", in, n)
		}
	}
}

func TestUsable(t *testing.T) {
	for in, want := range map[string]bool{
		"203.0.113.7": true, "10.0.0.1": true, "127.0.0.1": true, "2001:db8::1": true, "::1": true, "fe80::1": true,
		"0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "::": false, "ff02::1": false,
	} {
		if got := Usable(netip.MustParseAddr(in)); got != want {
			t.Errorf("%s: %v, want %v", in, got, want)
		}
	}
	if Usable(netip.Addr{}) {
		t.Error("the zero Addr is usable")
	}
}

func BenchmarkParse(b *testing.B) {
	for _, in := range []string{"203.0.113.7", "2001:db8::7", "2001:db8:1:2:3:4:5:6", "None"} {
		text := []byte(in)
		b.Run(in, func(b *testing.B) {
			for b.Loop() {
				Parse(text)
			}
		})
	}
}
