package http1

import (
	"bytes"
	"net/netip"
)

// Addresses as text. netip.ParseAddr would do, but for two things: it takes a
// string, and its errors allocate, which would hand everyone behind a proxy a
// way to make garbage. It is what the tests compare with.

// parseNode parses an address as proxies write it: a bare address, IPv4 with
// :port, or IPv6 in brackets with or without :port. A zone is dropped, an
// IPv4-mapped address unmapped. An address that no client can have, unspecified
// or multicast, is refused as garbage is.
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
		addr, ok = parseIPv6(b[1:end])
	} else if colon := bytes.IndexByte(b, ':'); colon < 0 {
		addr, ok = parseIPv4(b)
	} else if bytes.IndexByte(b[colon+1:], ':') < 0 {
		if !isPort(b[colon+1:]) {
			return netip.Addr{}, false
		}
		addr, ok = parseIPv4(b[:colon])
	} else {
		addr, ok = parseIPv6(b)
	}
	if !ok || !usable(addr) {
		return netip.Addr{}, false
	}
	return addr, true
}

// usable tells whether addr can be a client's.
func usable(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsMulticast()
}

// isPort tells whether b is a port as a list of proxies holds it: up to five
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

// parseIPv4 parses four decimal numbers without leading zeros.
func parseIPv4(b []byte) (netip.Addr, bool) {
	ip, ok := dottedQuad(b)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4(ip), true
}

func dottedQuad(b []byte) (ip [4]byte, ok bool) {
	octet, value, digits := 0, 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			if digits > 0 && value == 0 {
				return ip, false
			}
			value = value*10 + int(c-'0')
			digits++
			if value > 255 {
				return ip, false
			}
		case c == '.' && digits > 0 && octet < 3:
			ip[octet] = byte(value)
			octet, value, digits = octet+1, 0, 0
		default:
			return ip, false
		}
	}
	if octet != 3 || digits == 0 {
		return ip, false
	}
	ip[3] = byte(value)
	return ip, true
}

// parseIPv6 parses an IPv6 address (RFC 4291, 2.2), drops its zone and unmaps
// it.
func parseIPv6(b []byte) (netip.Addr, bool) {
	if zone := bytes.IndexByte(b, '%'); zone >= 0 {
		if zone == len(b)-1 {
			return netip.Addr{}, false
		}
		b = b[:zone]
	}
	var ip [16]byte
	n, gap := 0, -1 // bytes written, and where of them :: stood
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap = 0
		b = b[2:]
	}
	for first := gap < 0; first || len(b) > 0; first = false {
		if n == len(ip) {
			return netip.Addr{}, false
		}
		value, digits := hexGroup(b)
		if digits == 0 || digits > 4 {
			return netip.Addr{}, false
		}
		if digits < len(b) && b[digits] == '.' {
			tail, ok := dottedQuad(b)
			if !ok || n > 12 {
				return netip.Addr{}, false
			}
			n += copy(ip[n:], tail[:])
			break
		}
		ip[n], ip[n+1] = byte(value>>8), byte(value)
		n += 2
		if b = b[digits:]; len(b) == 0 {
			break
		}
		if b[0] != ':' || len(b) == 1 {
			return netip.Addr{}, false
		}
		if b = b[1:]; b[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap = n
			b = b[1:]
		}
	}
	if (gap < 0) != (n == len(ip)) {
		return netip.Addr{}, false
	}
	if gap >= 0 {
		tail := n - gap
		copy(ip[len(ip)-tail:], ip[gap:n])
		clear(ip[gap : len(ip)-tail])
	}
	return netip.AddrFrom16(ip).Unmap(), true
}

// hexGroup reads the hexadecimal digits at the start of b, up to five of them.
func hexGroup(b []byte) (value, digits int) {
	for digits < len(b) && digits < 5 {
		c := b[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return value, digits
		}
		value = value<<4 | int(c)
		digits++
	}
	return value, digits
}
