package config

import "net/netip"

// oneAddress turns the keys that aquatic_http 0.9.0 as it was released has for
// its one socket into those of the default pair, which took their place later.
func (d *decoder) oneAddress() {
	c := d.config
	const key = "network.address"
	if c.Network.Address == "" || d.bad[key] {
		return
	}
	n := &c.Network
	address, err := netip.ParseAddrPort(n.Address)
	if err != nil || address.Addr().Is4In6() {
		d.problems = append(d.problems, c.Problem(key, `needs an address and port such as "0.0.0.0:3000" or "[::]:3000"`))
		return
	}
	for _, other := range []string{"use_ipv4", "use_ipv6", "address_ipv4", "address_ipv6", "set_only_ipv6"} {
		if c.IsSet("network." + other) {
			d.problems = append(d.problems, c.Problem(key, "excludes %s: keep one of them", other))
			return
		}
	}
	n.UseIPv4, n.UseIPv6 = address.Addr().Is4(), address.Addr().Is6()
	if n.UseIPv4 {
		n.AddressIPv4 = address
		c.source.keys["network.address_ipv4"] = c.source.keys[key]
	} else {
		n.AddressIPv6, n.SetOnlyIPv6 = address, n.OnlyIPv6
		c.source.keys["network.address_ipv6"] = c.source.keys[key]
	}
	n.Address, n.OnlyIPv6 = "", false
}
