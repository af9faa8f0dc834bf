package http1

import (
	"bytes"
	"net/netip"

	"spate/internal/ipaddr"
)

// parseNode parses an address as proxies write it: a bare address, IPv4 with
// :port, or IPv6 in brackets with or without :port. A zone is dropped, an
// IPv4-mapped address unmapped. An address that no client can have (unspecified,
// multicast or broadcast) is refused as garbage is.
func parseNode(b []byte) (netip.Addr, bool) {
	if len(b) == 0 {
		return netip.Addr{}, false
	}
	var addr netip.Addr
	var ok bool
	if b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 || len(b) > end+1 && (b[end+1] != ':' || !isPort(b[end+2:])) {
			return netip.Addr{}, false
		}
		addr, ok = ipaddr.Parse6(b[1:end])
	} else if colon := bytes.IndexByte(b, ':'); colon < 0 {
		addr, ok = ipaddr.Parse4(b)
	} else if bytes.IndexByte(b[colon+1:], ':') < 0 {
		if !isPort(b[colon+1:]) {
			return netip.Addr{}, false
		}
		addr, ok = ipaddr.Parse4(b[:colon])
	} else {
		addr, ok = ipaddr.Parse6(b)
	}
	if !ok || !ipaddr.Usable(addr) {
		return netip.Addr{}, false
	}
	return addr, true
}

// isPort reports whether b is a port as a list of proxies holds it: up to five
// digits, or an obfuscated one (RFC 7239, 6.3). Its value is of no use.
func isPort(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	if b[0] == '_' {
		for _, c := range b[1:] {
			if !tokenByte[c] {
				return false
			}
		}
		return len(b) > 1
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) <= 5
}
