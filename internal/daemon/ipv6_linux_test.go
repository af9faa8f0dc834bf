package daemon

import (
	"errors"
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
