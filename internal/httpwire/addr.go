package httpwire

import (
	"bytes"
	"net/netip"
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
		return parseIPv6(v[1:end])
	}
	if a := parseIP(v); a.IsValid() {
		return a
	}
	end := bytes.IndexByte(v, ':')
	if end < 0 || !isPortSuffix(v[end:]) {
		return netip.Addr{}
	}
	quad, ok := parseIPv4(v[:end])
	if !ok {
		return netip.Addr{}
	}
	return netip.AddrFrom4(quad)
}

// parseIP reads an address of either family. What is none gives the zero Addr.
func parseIP(v []byte) netip.Addr {
	if quad, ok := parseIPv4(v); ok {
		return netip.AddrFrom4(quad)
	}
	return parseIPv6(v)
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

// parseIPv4 reads four decimal numbers with dots between them, without leading
// zeros, which some read as octal. netip.ParseAddr does the same but allocates
// for its errors, and what claims an address is often garbage.
func parseIPv4(v []byte) (quad [4]byte, ok bool) {
	for i := range quad {
		digits := 0
		n := 0
		for digits < len(v) && digits < 4 && v[digits]-'0' <= 9 {
			n = n*10 + int(v[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 3 || n > 255 || digits > 1 && v[0] == '0' {
			return [4]byte{}, false
		}
		quad[i] = byte(n)
		v = v[digits:]
		if i == 3 {
			break
		}
		if len(v) == 0 || v[0] != '.' {
			return [4]byte{}, false
		}
		v = v[1:]
	}
	return quad, len(v) == 0
}

// parseIPv6 reads an IPv6 address in any form of RFC 4291, 2.2: eight groups of
// up to four hex digits, one run of zero groups as ::, the last two groups
// perhaps as an IPv4 address. A zone after % is dropped. What is no IPv6
// address gives the zero Addr.
func parseIPv6(v []byte) netip.Addr {
	if zone := bytes.IndexByte(v, '%'); zone >= 0 {
		if zone == len(v)-1 {
			return netip.Addr{}
		}
		v = v[:zone]
	}
	var a [16]byte
	gap := -1 // where in a the :: stands
	n := 0    // bytes of a that are set
	if len(v) >= 2 && v[0] == ':' && v[1] == ':' {
		gap = 0
		v = v[2:]
	}
	for len(v) > 0 {
		if n == len(a) {
			return netip.Addr{}
		}
		if quad, ok := parseIPv4(v); ok {
			if n > len(a)-4 {
				return netip.Addr{}
			}
			n += copy(a[n:], quad[:])
			break
		}
		group, digits := hexGroup(v)
		if digits == 0 {
			return netip.Addr{}
		}
		a[n], a[n+1] = byte(group>>8), byte(group)
		n += 2
		v = v[digits:]
		if len(v) == 0 {
			break
		}
		if v[0] != ':' || len(v) == 1 {
			return netip.Addr{}
		}
		v = v[1:]
		if v[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}
			}
			gap = n
			v = v[1:]
		}
	}
	return closeGap(a, n, gap)
}

// hexGroup reads up to four hex digits at the start of v. It returns 0 digits
// where there are none, or more than four.
func hexGroup(v []byte) (group uint16, digits int) {
	for digits < len(v) {
		d := unhex[v[digits]]
		if d == notHex {
			break
		}
		if digits == 4 {
			return 0, 0
		}
		group = group<<4 | uint16(d)
		digits++
	}
	return group, digits
}

// closeGap returns the address whose n bytes stand at the start of a, with the
// zeros of a :: put in at gap, which is -1 where there was none.
func closeGap(a [16]byte, n, gap int) netip.Addr {
	if gap < 0 {
		if n != len(a) {
			return netip.Addr{}
		}
		return netip.AddrFrom16(a).Unmap()
	}
	if n == len(a) {
		return netip.Addr{} // :: stands for at least one group
	}
	var full [16]byte
	copy(full[:], a[:gap])
	copy(full[len(a)-(n-gap):], a[gap:n])
	return netip.AddrFrom16(full).Unmap()
}
