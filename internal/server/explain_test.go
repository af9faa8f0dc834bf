//go:build unix

package server

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestExplainTCP holds what an operator reads when a listener cannot be bound,
// and what counts as a machine without IPv6.
func TestExplainTCP(t *testing.T) {
	for _, test := range []struct {
		at     string
		err    error
		noIPv6 bool
		want   string
	}{
		{"0.0.0.0:3000", unix.EADDRINUSE, false, "another port"},
		{"0.0.0.0:80", unix.EACCES, false, "CAP_NET_BIND_SERVICE"},
		{"192.0.2.1:80", unix.EADDRNOTAVAIL, false, "does not have the address 192.0.2.1"},
		{"[2001:db8::1]:80", unix.EADDRNOTAVAIL, false, "does not have the address 2001:db8::1"},
		{"[::]:3000", unix.EAFNOSUPPORT, true, "no IPv6"},
		{"[::]:3000", unix.EADDRNOTAVAIL, true, "no IPv6"},
		{"[::1]:3000", unix.EADDRNOTAVAIL, true, "no IPv6"},
		{"0.0.0.0:3000", unix.EAFNOSUPPORT, false, "0.0.0.0:3000"},
	} {
		err := explainTCP(netip.MustParseAddrPort(test.at), os.NewSyscallError("bind", test.err))
		if errors.Is(err, ErrNoIPv6) != test.noIPv6 || !errors.Is(err, test.err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s, %v: %v", test.at, test.err, err)
		}
	}
}
