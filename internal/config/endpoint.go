package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"spate/internal/tomlfile"
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
			return EndpointUnix, "", errors.New(`needs a path such as "unix:/run/spate/http.sock"`)
		}
		if len(path) > maxUnixPath {
			return EndpointUnix, "", fmt.Errorf("needs a path of at most %d bytes, which is all that a socket's address holds", maxUnixPath)
		}
		return EndpointUnix, path, nil
	}
	if name, found := strings.CutPrefix(l.Address, "systemd:"); found {
		if name == "" {
			return EndpointSystemd, "", errors.New(`needs the name of a socket such as "systemd:spate"`)
		}
		return EndpointSystemd, name, nil
	}
	a, err := netip.ParseAddrPort(l.Address)
	if err != nil || a.Addr().Is4In6() {
		return EndpointTCP, "", errors.New(`needs an address and port such as "192.0.2.1:3000" or "[2001:db8::1]:3000", ` +
			`or "unix:/run/spate/http.sock", or "systemd:NAME"`)
	}
	return EndpointTCP, a.String(), nil
}

// An endpoint is what one key listens on.
type endpoint struct {
	path    string
	address string // as configured
	kind    EndpointKind
	rest    string         // of EndpointUnix, without links, and EndpointSystemd
	tcp     netip.AddrPort // of EndpointTCP
	// dual: a socket of all IPv6 addresses that takes IPv4 as well.
	dual bool
}

// newEndpoint returns what path listens on by address; ok is false where the
// address has a problem of its own, or gets a port that nothing else has.
func newEndpoint(path, address string, dual bool) (e endpoint, ok bool) {
	l := Listener{Address: address}
	kind, rest, err := l.Endpoint()
	if err != nil {
		return e, false
	}
	e = endpoint{path: path, address: address, kind: kind, rest: rest, dual: dual}
	switch {
	case kind == EndpointTCP:
		e.tcp = netip.MustParseAddrPort(rest)
		return e, e.tcp.Port() != 0
	case kind == EndpointUnix && !strings.HasPrefix(rest, "@"):
		e.rest = realPath(rest)
	}
	return e, true
}

// realPath returns the path of a socket's file without links in its directory, where
// there is one, so that two ways to one file are seen to be that.
func realPath(path string) string {
	dir, name := filepath.Split(path) // as it is: Dir takes "link/.." for nothing
	if real, err := filepath.EvalSymlinks(dir + "."); err == nil {
		path = filepath.Join(real, name)
	}
	if absolute, err := filepath.Abs(path); err == nil {
		return absolute
	}
	return filepath.Clean(path)
}

// same reports whether both are the same address.
func (e *endpoint) same(other *endpoint) bool {
	return e.kind == other.kind && e.rest == other.rest && e.tcp == other.tcp
}

// covers reports whether a socket of e takes other's address and port: Linux
// opens only one of the two, whichever comes first.
func (e *endpoint) covers(other *endpoint) bool {
	if e.kind != EndpointTCP || other.kind != EndpointTCP || e.tcp.Port() != other.tcp.Port() || !e.tcp.Addr().IsUnspecified() {
		return false
	}
	return e.tcp.Addr().Is4() == other.tcp.Addr().Is4() || e.dual
}

// endpoints returns what all keys listen on, in the order in which it is opened.
func (c *Config) endpoints() (all []endpoint) {
	add := func(path, address string, dual bool) {
		if e, ok := newEndpoint(path, address, dual); ok {
			all = append(all, e)
		}
	}
	if c.Network.UseIPv4 {
		add("network.address_ipv4", c.Network.AddressIPv4.String(), false)
	}
	if c.Network.UseIPv6 {
		add("network.address_ipv6", c.Network.AddressIPv6.String(), c.Network.DualStack())
	}
	for i := range c.Listeners {
		add(fmt.Sprintf("listeners[%d].address", i), c.Listeners[i].Address, false)
	}
	// The operator's sockets take IPv4 as well when they take all of IPv6.
	if c.Metrics.RunPrometheusEndpoint {
		a := c.Metrics.PrometheusEndpointAddress
		add("metrics.prometheus_endpoint_address", a.String(), a.Addr().Is6())
	}
	if c.Admin.Address != "" {
		add("admin.address", c.Admin.Address, strings.HasPrefix(c.Admin.Address, "["))
	}
	return all
}

// DualStack reports whether the IPv6 socket of the default pair takes IPv4 too.
// Both sockets cannot have a port's IPv4; with use_ipv4 there is nothing left for
// the other one to take.
func (n *Network) DualStack() bool {
	return !n.SetOnlyIPv6 && !(n.UseIPv4 && n.AddressIPv4.Port() == n.AddressIPv6.Port())
}

// validateEndpoints finds addresses that two keys ask for. The system would
// say of the second one only that the address is in use.
func (c *Config) validateEndpoints(f *tomlfile.Problems) {
	all := c.endpoints()
	for i := range all {
		e := &all[i]
		for j := range all[:i] {
			first := &all[j]
			if e.same(first) {
				f.Add(e.path, "is the address of %s already", tomlfile.DisplayKey(first.path))
				break
			}
			if e.covers(first) || first.covers(e) {
				f.Add(e.path, "needs another port: %s = %q has this one on the same addresses", tomlfile.DisplayKey(first.path), first.address)
				break
			}
		}
	}
}
