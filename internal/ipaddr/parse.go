// Package ipaddr reads IP addresses and answers questions about them on the way of a
// request, without allocating. netip.ParseAddr would do but for two things: it
// takes a string, and its errors allocate, which would hand strangers a way to make
// garbage. The tests hold this package against netip.
//
// Addresses that it returns are unmapped and have no zone.
package ipaddr

import (
	"bytes"
	"net/netip"
)

// Usable reports whether addr can be that of a client or a peer: it is valid, and
// neither unspecified nor multicast nor broadcast.
func Usable(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && addr != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Parse reads an address of either family as Parse4 and Parse6 do.
func Parse(b []byte) (netip.Addr, bool) {
	if addr, ok := Parse4(b); ok {
		return addr, true
	}
	return Parse6(b)
}

// Parse4 reads four decimal numbers with dots between them, without leading zeros,
// which some read as octal.
func Parse4(b []byte) (netip.Addr, bool) {
	ip, ok := dottedQuad(b)
	if !ok {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4(ip), true
}

// dottedQuad is Parse4 for an address that may be the end of an IPv6 one.
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

// Parse6 reads an IPv6 address in any form of RFC 4291, section 2.2. A zone after %
// is dropped.
func Parse6(b []byte) (netip.Addr, bool) {
	var ip [16]byte
	n, gap, ok := ipv6Groups(b, &ip)
	if !ok || (gap < 0) != (n == len(ip)) {
		return netip.Addr{}, false
	}
	if gap >= 0 {
		tail := n - gap
		copy(ip[len(ip)-tail:], ip[gap:n])
		clear(ip[gap : len(ip)-tail])
	}
	return netip.AddrFrom16(ip).Unmap(), true
}

// ipv6Groups reads the groups of an IPv6 address into the first n bytes of ip,
// and where of them :: stood, or -1.
func ipv6Groups(b []byte, ip *[16]byte) (n, gap int, ok bool) {
	gap = -1
	i := 0
	if len(b) >= 2 && b[0] == ':' && b[1] == ':' {
		gap, i = 0, 2
	}
	start, value := i, 0 // of the group that is being read
	for ; i < len(b); i++ {
		c := b[i]
		if d := hexDigit[c]; d != 0 {
			value = value<<4 | int(d-1)
			continue
		}
		switch {
		case c == '.':
			tail, zoneOK := cutZone(b[start:])
			quad, isQuad := dottedQuad(tail)
			if !zoneOK || !isQuad || n > 12 {
				return n, gap, false
			}
			n += copy(ip[n:], quad[:])
			return n, gap, true
		case c == '%':
			if i+1 == len(b) {
				return n, gap, false
			}
			b = b[:i]
		case c != ':' || i == start && (gap >= 0 || n == 0):
			return n, gap, false
		case i == start:
			gap = n
			start = i + 1
		default:
			if i-start > 4 || n == len(ip) {
				return n, gap, false
			}
			ip[n], ip[n+1] = byte(value>>8), byte(value)
			n += 2
			start, value = i+1, 0
		}
	}
	if start == len(b) { // nothing after the last colon, which is then that of ::
		return n, gap, gap == n
	}
	if len(b)-start > 4 || n == len(ip) {
		return n, gap, false
	}
	ip[n], ip[n+1] = byte(value>>8), byte(value)
	return n + 2, gap, true
}

// cutZone cuts a zone, and says whether it was a valid one or none.
func cutZone(b []byte) (addr []byte, ok bool) {
	zone := bytes.IndexByte(b, '%')
	if zone < 0 {
		return b, true
	}
	return b[:zone], zone < len(b)-1
}

// hexDigit is one more than the value of a hexadecimal digit, and 0 for every
// other byte.
var hexDigit = [256]uint8{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
	'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}
