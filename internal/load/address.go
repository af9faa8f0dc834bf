package load

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// addressing says which address each peer seems to come from.
type addressing struct {
	source   string
	number   int
	percent6 int // of 100 addresses, how many are IPv6
}

func newAddressing(c *AddressConfig) addressing {
	return addressing{source: c.Source, number: c.Number, percent6: int(c.IPv6*100 + 0.5)}
}

// perConnection reports whether an address belongs to a connection, so that
// every request on it is by a peer of that address.
func (a *addressing) perConnection() bool {
	return a.source != sourceXFF && a.source != sourceForwarded
}

// bind returns the address that a connection with address number slot has to be
// bound to, or the zero Addr where the system may choose.
func (a *addressing) bind(slot int) netip.Addr {
	if a.source != sourceLoopback {
		return netip.Addr{}
	}
	return loopbackAddr(slot)
}

// told returns address number i, 0 to a.number-1, as a header tells it.
func (a *addressing) told(i int) netip.Addr {
	if i%100 < a.percent6 {
		return told6(i)
	}
	return told4(i)
}

// How many different addresses there are of each kind.
const (
	maxLoopback = 1<<24 - 2 // but for the first and the last of 127.0.0.0/8
	maxTold4    = 7 << 24
)

// loopbackAddr returns the i-th address of 127.0.0.0/8, from 127.0.0.1 on.
func loopbackAddr(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 127<<24|uint32(1+i%maxLoopback))
	return netip.AddrFrom4(b)
}

// told4 returns the i-th of some 100 million public IPv4 addresses.
func told4(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 12<<24+uint32(i)%maxTold4)
	return netip.AddrFrom4(b)
}

// told6 returns the i-th public IPv6 address. Each is in a /64 of its own,
// since trackers take a /64 for one household.
func told6(i int) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], 0x2a00<<48|uint64(i))
	b[15] = 1
	return netip.AddrFrom16(b)
}

// appendHeader appends the header line that tells addr, if the source is told
// by one.
func (a *addressing) appendHeader(dst []byte, addr netip.Addr) []byte {
	switch a.source {
	case sourceXFF:
		dst = append(dst, "X-Forwarded-For: "...)
		dst = addr.AppendTo(dst)
		return append(dst, "\r\n"...)
	case sourceForwarded:
		dst = append(dst, "Forwarded: for="...)
		if addr.Is6() {
			dst = append(addr.AppendTo(append(dst, `"[`...)), `]"`...)
		} else {
			dst = addr.AppendTo(dst)
		}
		return append(dst, "\r\n"...)
	default:
		return dst
	}
}

// proxyV2Signature begins every PROXY protocol version 2 header (HAProxy's
// PROXY protocol text, section 2.2).
const proxyV2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// appendProxy appends the PROXY protocol header that a connection from src to
// dst begins with, if the source is told by one. dst stands in for an address
// of src's family where it has another.
func (a *addressing) appendProxy(out []byte, src netip.AddrPort, dst netip.AddrPort) []byte {
	if src.Addr().Is6() != dst.Addr().Is6() {
		dst = netip.AddrPortFrom(netip.IPv6Loopback(), dst.Port())
	}
	switch a.source {
	case sourceProxyV1:
		family := "TCP4 "
		if src.Addr().Is6() {
			family = "TCP6 "
		}
		out = append(append(out, "PROXY "...), family...)
		out = append(src.Addr().AppendTo(out), ' ')
		out = append(dst.Addr().AppendTo(out), ' ')
		out = append(strconv.AppendUint(out, uint64(src.Port()), 10), ' ')
		return append(strconv.AppendUint(out, uint64(dst.Port()), 10), "\r\n"...)
	case sourceProxyV2:
		out = append(append(out, proxyV2Signature...), 0x21)
		if src.Addr().Is4() {
			s, d := src.Addr().As4(), dst.Addr().As4()
			out = append(append(append(out, 0x11, 0, 12), s[:]...), d[:]...)
		} else {
			s, d := src.Addr().As16(), dst.Addr().As16()
			out = append(append(append(out, 0x21, 0, 36), s[:]...), d[:]...)
		}
		out = binary.BigEndian.AppendUint16(out, src.Port())
		return binary.BigEndian.AppendUint16(out, dst.Port())
	default:
		return out
	}
}
