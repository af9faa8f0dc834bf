package config

import (
	"net/netip"
	"slices"
	"testing"
)

func TestDiff(t *testing.T) {
	a, b := Default(), Default()
	if got := Diff(&a, &b); len(got) != 0 {
		t.Errorf("the same differs in %v", got)
	}
	b.SocketWorkers = 3
	b.Network.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	b.Listeners = []Listener{{Address: "127.0.0.1:1"}}
	b.TLS.Certificates = []Certificate{{}}
	b.Protocol.MaxMemory = Memory{Bytes: 1}
	want := []string{"socket_workers", "network.trusted_proxies", "listeners", "tls.certificates", "protocol.max_memory"}
	if got := Diff(&a, &b); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
