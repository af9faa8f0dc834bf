package config

import (
	"fmt"
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

// maxUnixPath is what a socket's address holds on Linux, beside the byte that ends
// it. Elsewhere it is some bytes less, and the system says so.
const maxUnixPath = 107

// Endpoint takes the address of a listener apart: its kind, and what is left
// without the kind's prefix. The error says what the address needs to be.
func (l *Listener) Endpoint() (kind EndpointKind, rest string, err error) {
	if path, found := strings.CutPrefix(l.Address, "unix:"); found {
		if path == "" || path == "@" {
			return EndpointUnix, "", errNeeds(`needs a path such as "unix:/run/spate/http.sock"`)
		}
		if len(path) > maxUnixPath {
			return EndpointUnix, "", errNeeds(fmt.Sprintf("needs a path of at most %d bytes, which is all that a socket's address holds", maxUnixPath))
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

// validateEndpoints finds addresses that two keys ask for. The system would
// say of the second one only that the address is in use.
func (c *Config) validateEndpoints(f *flaws) {
	taken := map[string]string{}
	take := func(path, address string) {
		l := Listener{Address: address}
		kind, rest, err := l.Endpoint()
		if err != nil || kind == EndpointTCP && netip.MustParseAddrPort(rest).Port() == 0 {
			return // it has its own problem, or gets a port of its own
		}
		if first, found := taken[address]; found {
			f.add(path, "is the address of %s already", first)
			return
		}
		taken[address] = displayKey(path)
	}
	if c.Network.UseIPv4 {
		take("network.address_ipv4", c.Network.AddressIPv4.String())
	}
	if c.Network.UseIPv6 {
		take("network.address_ipv6", c.Network.AddressIPv6.String())
	}
	for i := range c.Listeners {
		take(fmt.Sprintf("listeners[%d].address", i), c.Listeners[i].Address)
	}
	if c.Metrics.RunPrometheusEndpoint {
		take("metrics.prometheus_endpoint_address", c.Metrics.PrometheusEndpointAddress.String())
	}
	if c.Admin.Address != "" {
		take("admin.address", c.Admin.Address)
	}
}
