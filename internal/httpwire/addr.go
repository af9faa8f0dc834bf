package httpwire

import (
	"bytes"
	"net/netip"

	"spate/internal/ipaddr"
)

// claimedAddr reads the value of ip, ipv4 or ipv6: an address of either family,
// also in brackets and with a port (lftp sends `ipv4=1.2.3.4:6881` and
// `ipv6=[2001:db8::1]:6881`; the port is not used). Anything else, such as a
// host name or newTrackon's `None`, is the zero Addr. The result is unmapped
// and has no zone.
func claimedAddr(v []byte) netip.Addr {
	var scratch [maxValue]byte
	v = plain(v, &scratch)
	if len(v) == 0 || len(v) > maxValue {
		return netip.Addr{}
	}
	if v[0] == '[' {
		end := bytes.IndexByte(v, ']')
		if end < 0 || !isPortSuffix(v[end+1:]) {
			return netip.Addr{}
		}
		addr, _ := ipaddr.Parse6(v[1:end])
		return addr
	}
	if addr, ok := ipaddr.Parse(v); ok {
		return addr
	}
	end := bytes.IndexByte(v, ':')
	if end < 0 || !isPortSuffix(v[end:]) {
		return netip.Addr{}
	}
	addr, _ := ipaddr.Parse4(v[:end])
	return addr
}

// onlyFamily returns a where it is of the family asked for, otherwise the zero
// Addr.
func onlyFamily(a netip.Addr, v4 bool) netip.Addr {
	if a.Is4() != v4 {
		return netip.Addr{}
	}
	return a
}

// isPortSuffix reports whether v is empty or a colon and a port number.
func isPortSuffix(v []byte) bool {
	if len(v) == 0 {
		return true
	}
	n, ok := digits(v[1:], 65535)
	return v[0] == ':' && ok && n <= 65535
}
