package config

import (
	"net/netip"

	"spate/internal/tomlfile"
)

// oneAddress turns the keys that aquatic_http 0.9.0 as it was released has for
// its one socket into those of the default pair, which took their place later.
func (c *Config) oneAddress() (problems tomlfile.Problems) {
	const key = "network.address"
	n := &c.Network
	if n.Address == "" {
		return nil
	}
	address, err := netip.ParseAddrPort(n.Address)
	if err != nil || address.Addr().Is4In6() {
		return tomlfile.Problems{c.Problem(key, `needs an address and port such as "0.0.0.0:3000" or "[::]:3000"`)}
	}
	for _, other := range []string{"use_ipv4", "use_ipv6", "address_ipv4", "address_ipv6", "set_only_ipv6"} {
		if c.IsSet("network." + other) {
			return tomlfile.Problems{c.Problem(key, "excludes %s: keep one of them", other)}
		}
	}
	n.UseIPv4, n.UseIPv6 = address.Addr().Is4(), address.Addr().Is6()
	if n.UseIPv4 {
		n.AddressIPv4 = address
		c.source.StandsFor(key, "network.address_ipv4")
	} else {
		n.AddressIPv6, n.SetOnlyIPv6 = address, n.OnlyIPv6
		c.source.StandsFor(key, "network.address_ipv6")
	}
	n.Address, n.OnlyIPv6 = "", false
	return nil
}
