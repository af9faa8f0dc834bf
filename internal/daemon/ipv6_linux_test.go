package daemon

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"spate/internal/config"
	"spate/internal/server"
)

// withoutIPv6 runs f where no interface has an IPv6 address: in a network of its
// own, on a thread that ends with it.
func withoutIPv6(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestMissingIPv6(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make a network without IPv6
	}
	withoutIPv6(t, func() {
		// Nobody asked for it: a warning.
		cfg := loopback()
		cfg.Network.AddressIPv4 = netip.MustParseAddrPort("0.0.0.0:0")
		var text lockedBuilder
		d, err := New(cfg, Build{}, NewLog(&cfg, &text))
		if err != nil {
			t.Error(err)
			return
		}
		if addrs := d.Addrs(); len(addrs) != 1 || !strings.Contains(text.String(), "this machine has no IPv6: listening on IPv4 only") {
			t.Errorf("listens on %v, says\n%s", addrs, text.String())
		}
		d.Close()

		// Somebody did: an error, with the key.
		cfg, err = config.Parse("spate.toml", []byte("[network]\naddress_ipv4 = \"0.0.0.0:0\"\naddress_ipv6 = \"[::1]:0\"\n"))
		if err != nil {
			t.Error(err)
			return
		}
		_, err = New(cfg, Build{}, nil)
		if !errors.Is(err, server.ErrNoIPv6) || !strings.HasPrefix(err.Error(), `spate.toml:3: [network] address_ipv6 = "[::1]:0": `) {
			t.Errorf("got %v", err)
		}
	})
}

// TestNoAddress: sockets of all addresses open where no interface has one, and
// wait for it. Until then there is no URL to give to anybody.
func TestNoAddress(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make a network without addresses
	}
	withoutIPv6(t, func() {
		cfg := config.Default()
		cfg.Network.AddressIPv4 = netip.MustParseAddrPort("0.0.0.0:0")
		cfg.Network.AddressIPv6 = netip.MustParseAddrPort("[::]:0")
		var text lockedBuilder
		d, err := New(cfg, Build{}, NewLog(&cfg, &text))
		if err != nil {
			t.Error(err)
			return
		}
		defer d.Close()
		if addrs, urls := d.Addrs(), d.urls(); len(addrs) != 2 || len(urls) != 0 {
			t.Errorf("listens on %v, gives %q", addrs, urls)
		}
		d.logListeners()
		if got := text.String(); strings.Count(got, "listening, although no interface has an address of this family yet") != 2 || strings.Contains(got, "announce_url") {
			t.Errorf("says\n%s", got)
		}
	})
}

func TestReachable(t *testing.T) {
	for _, tc := range []struct {
		interfaces string
		four, six  string
	}{
		{"", "", ""},
		{"127.0.0.1/8 ::1/128", "127.0.0.1", "::1"},
		{"127.0.0.1/8", "127.0.0.1", ""},
		{"127.0.0.1/8 ::1/128 169.254.3.3/16 fe80::1/64", "127.0.0.1", "::1"},
		{"fe80::1/64", "", ""},
		{"::1/128 fd00::1/64 10.1.1.1/8 127.0.0.1/8", "10.1.1.1", "fd00::1"},
		{"127.0.0.1/8 10.1.1.1/8 192.0.2.1/24 192.0.2.2/24 fd00::1/64 2001:db8::1/64 fd00::2/64", "192.0.2.1", "2001:db8::1"},
	} {
		var interfaces []net.Addr
		for _, text := range strings.Fields(tc.interfaces) {
			ip, prefix, err := net.ParseCIDR(text)
			if err != nil {
				t.Fatal(err)
			}
			interfaces = append(interfaces, &net.IPNet{IP: ip, Mask: prefix.Mask})
		}
		for _, is4 := range []bool{true, false} {
			want := map[bool]string{true: tc.four, false: tc.six}[is4]
			got := reachable(is4, interfaces)
			if got.IsValid() != (want != "") || got.IsValid() && got.String() != want {
				t.Errorf("%q, IPv4 %v: %v, want %q", tc.interfaces, is4, got, want)
			}
		}
	}
}
