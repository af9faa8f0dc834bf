package config

import (
	"net/netip"
	"strings"
)

// EndpointKind is a kind of address that can be listened on.
type EndpointKind uint8

// The kinds of Listener.Address.
const (
	EndpointTCP     EndpointKind = iota // an IP address and a port
	EndpointUnix                        // "unix:PATH" or "unix:@NAME"
	EndpointSystemd                     // "systemd:NAME", a socket passed to the process
)

// Endpoint takes the address of a listener apart: its kind, and what is left
// without the kind's prefix. The error says what the address needs to be.
func (l *Listener) Endpoint() (kind EndpointKind, rest string, err error) {
	if path, found := strings.CutPrefix(l.Address, "unix:"); found {
		if path == "" || path == "@" {
			return EndpointUnix, "", errNeeds(`needs a path such as "unix:/run/spate/http.sock"`)
		}
		return EndpointUnix, path, nil
	}
	if name, found := strings.CutPrefix(l.Address, "systemd:"); found {
		if name == "" {
			return EndpointSystemd, "", errNeeds(`needs the name of a socket such as "systemd:spate"`)
		}
		return EndpointSystemd, name, nil
	}
	a, err := netip.ParseAddrPort(l.Address)
	if err != nil || a.Addr().Is4In6() {
		return EndpointTCP, "", errNeeds(`needs an address and port such as "192.0.2.1:3000" or "[2001:db8::1]:3000", ` +
			`or "unix:/run/spate/http.sock", or "systemd:NAME"`)
	}
	return EndpointTCP, a.String(), nil
}
