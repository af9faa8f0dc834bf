package http1

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"spate/internal/ipaddr"
)

// MaxProxyHeader is the largest PROXY header that is taken, in bytes: room for
// the TLVs of version 2 with a client certificate among them, and half of what
// a connection's buffer holds. Version 1 lines end at their own bound of 107.
const MaxProxyHeader = 16 + 4096

// ErrProxyHeader says that the connection does not begin with a PROXY header
// that can be used. There is no reply to it: the connection closes.
var ErrProxyHeader = errors.New("http1: no valid PROXY header")

// The PROXY protocol, version 1 (proxy-protocol.txt, 2.1), one line:
//
//	PROXY SP (TCP4 | TCP6) SP source SP destination SP port SP port CR LF
//	PROXY SP UNKNOWN anything CR LF
//
// and version 2 (2.2):
//
//	 0  12  signature
//	12   1  version 2 in the high half; command: 0 LOCAL, 1 PROXY
//	13   1  family in the high half: 0 unspecified, 1 IPv4, 2 IPv6, 3 unix;
//	        transport: 0 unspecified, 1 stream, 2 datagram
//	14   2  length of what follows, big-endian
//	16      source and destination address, 4, 16 or 108 bytes each,
//	        source and destination port, 2 bytes each, but for unix
//	...     TLVs up to the length
const (
	v1Max       = 107
	v1Prefix    = "PROXY "
	v2Signature = "\r\n\r\n\x00\r\nQUIT\n"
	v2Fixed     = 16
	v2Local     = 0x20
	v2Proxy     = 0x21
)

// ParseProxyHeader parses the PROXY header, version 1 or 2, at the start of buf.
// n is its length; buf[n:] is the request. src is the client's address,
// unmapped, and port. local says that there is none to tell and that the
// connection's own source counts instead: LOCAL (a proxy's health check),
// UNKNOWN, an unspecified or a unix family. TLVs are skipped unread, a CRC-32c
// among them, which TCP makes needless.
//
// The error is ErrIncomplete while buf can still become a header, or
// ErrProxyHeader: at the first byte that fits none, at the end of an address
// that is none, for an address that is unspecified, multicast or broadcast, and
// for a header beyond MaxProxyHeader. n, src and local are then zero. Whether the
// sender may send such a header is the caller's to judge, beforehand. Nothing
// is allocated.
//
// As nginx sends it, an IPv4 address in a TCP6 line is taken for what it is.
func ParseProxyHeader(buf []byte) (n int, src netip.AddrPort, local bool, err error) {
	switch {
	case len(buf) == 0:
		err = ErrIncomplete
	case buf[0] == v1Prefix[0]:
		n, src, err = proxyV1(buf)
	default:
		n, src, err = proxyV2(buf)
	}
	if err != nil {
		return 0, netip.AddrPort{}, false, err
	}
	return n, src, !src.IsValid(), nil
}

// proxyV1 parses a version 1 line. src stays invalid for UNKNOWN.
func proxyV1(buf []byte) (n int, src netip.AddrPort, err error) {
	l := v1Line{rest: buf[:min(len(buf), v1Max)]}
	if v6, unknown := l.family(); unknown {
		l.unknown()
	} else {
		addr := l.addr(v6)
		l.addr(v6)
		port := l.port(' ')
		l.port('\r')
		l.literal("\n")
		if l.err == nil {
			src = netip.AddrPortFrom(addr, port)
		}
	}
	if l.err == ErrIncomplete && len(buf) >= v1Max {
		l.err = ErrProxyHeader
	}
	return min(len(buf), v1Max) - len(l.rest), src, l.err
}

// v1Line reads a version 1 line from the left. After the first error, or the
// end of what has arrived, every step does nothing.
type v1Line struct {
	rest []byte
	err  error
}

// family takes what comes before the addresses, or before UNKNOWN. One comparison
// recognises what nearly always comes; the five that follow would take an eighth of
// the time of a whole IPv4 line.
func (l *v1Line) family() (v6, unknown bool) {
	const v4Start, v6Start = v1Prefix + "TCP4 ", v1Prefix + "TCP6 "
	if len(l.rest) >= len(v4Start) {
		switch start := l.rest[:len(v4Start)]; string(start) {
		case v4Start, v6Start:
			l.rest = l.rest[len(v4Start):]
			return string(start) == v6Start, false
		}
	}
	l.literal(v1Prefix)
	if len(l.rest) > 0 && l.rest[0] == 'U' {
		return false, true
	}
	l.literal("TCP")
	v6 = l.byteOf("4", "6")
	l.literal(" ")
	return v6, false
}

// literal takes exactly s.
func (l *v1Line) literal(s string) {
	if l.err != nil {
		return
	}
	n := min(len(s), len(l.rest))
	switch {
	case string(l.rest[:n]) != s[:n]:
		l.err = ErrProxyHeader
	case n < len(s):
		l.err = ErrIncomplete
	default:
		l.rest = l.rest[n:]
	}
}

// byteOf takes one byte, either a or b, and reports whether it was b.
func (l *v1Line) byteOf(a, b string) bool {
	isB := len(l.rest) > 0 && l.rest[0] == b[0]
	if isB {
		a = b
	}
	l.literal(a)
	return isB
}

// unknown takes the rest of an UNKNOWN line, of which nothing is of use.
func (l *v1Line) unknown() {
	l.literal("UNKNOWN")
	if l.err != nil {
		return
	}
	if len(l.rest) > 0 && l.rest[0] != ' ' && l.rest[0] != '\r' {
		l.err = ErrProxyHeader
		return
	}
	end := bytes.IndexAny(l.rest, "\r\n")
	if end < 0 {
		l.err = ErrIncomplete
		return
	}
	l.rest = l.rest[end:]
	l.literal("\r\n")
}

// kind is what a word of a version 1 line is made of.
type kind uint8

const (
	kindPort kind = iota // digits
	kindIPv4             // and dots
	kindIPv6             // and hexadecimal digits and colons
)

// holds reports whether c can be part of such a word.
func (k kind) holds(c byte) bool {
	switch {
	case c >= '0' && c <= '9':
		return true
	case c == '.':
		return k != kindPort
	case c == ':', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		return k == kindIPv6
	}
	return false
}

// word takes a word of at most longest bytes, and the byte end after it. It
// judges the bytes of a word only while its end is missing: whoever parses the
// whole word judges them as well.
func (l *v1Line) word(k kind, longest int, end byte) []byte {
	if l.err != nil {
		return nil
	}
	window := l.rest[:min(len(l.rest), longest+1)]
	if i := bytes.IndexByte(window, end); i >= 0 {
		l.rest = l.rest[i+1:]
		return window[:i]
	}
	l.err = ErrIncomplete
	for i, c := range window {
		if i == longest || !k.holds(c) {
			l.err = ErrProxyHeader
		}
	}
	return nil
}

// addr takes an address and the space after it.
func (l *v1Line) addr(v6 bool) (addr netip.Addr) {
	var ok bool
	if v6 {
		word := l.word(kindIPv6, len("0000:0000:0000:0000:0000:ffff:255.255.255.255"), ' ')
		if addr, ok = ipaddr.Parse6(word); !ok {
			addr, ok = ipaddr.Parse4(word)
		}
		ok = ok && bytes.IndexByte(word, '%') < 0 // no zones here
	} else {
		addr, ok = ipaddr.Parse4(l.word(kindIPv4, len("255.255.255.255"), ' '))
	}
	if l.err == nil && (!ok || !ipaddr.Usable(addr)) {
		l.err = ErrProxyHeader
	}
	return addr
}

// port takes a port without leading zeros and the byte end after it.
func (l *v1Line) port(end byte) uint16 {
	word := l.word(kindPort, len("65535"), end)
	port := 0
	digits := true
	for _, c := range word {
		digits = digits && kindPort.holds(c)
		port = port*10 + int(c-'0')
	}
	if l.err == nil && (!digits || len(word) == 0 || len(word) > 1 && word[0] == '0' || port > 0xffff) {
		l.err = ErrProxyHeader
	}
	return uint16(port)
}

// proxyV2 parses a version 2 header. src stays invalid where the connection's
// own source counts.
func proxyV2(buf []byte) (n int, src netip.AddrPort, err error) {
	signature := min(len(buf), len(v2Signature))
	if string(buf[:signature]) != v2Signature[:signature] ||
		len(buf) > 12 && buf[12] != v2Local && buf[12] != v2Proxy {
		return 0, src, ErrProxyHeader
	}
	if len(buf) < 14 {
		return 0, src, ErrIncomplete
	}
	need, ok := v2AddrLen(buf[13])
	if !ok {
		return 0, src, ErrProxyHeader
	}
	if len(buf) < v2Fixed {
		return 0, src, ErrIncomplete
	}
	length := int(binary.BigEndian.Uint16(buf[14:]))
	if v2Fixed+length > MaxProxyHeader || buf[12] == v2Proxy && length < need {
		return 0, src, ErrProxyHeader
	}
	if len(buf) < v2Fixed+length {
		return 0, src, ErrIncomplete
	}
	if buf[12] == v2Proxy {
		switch block := buf[v2Fixed:]; need {
		case 12:
			src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(block)), binary.BigEndian.Uint16(block[8:]))
		case 36:
			src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(block)).Unmap(), binary.BigEndian.Uint16(block[32:]))
		}
		if src.IsValid() && !ipaddr.Usable(src.Addr()) {
			return 0, src, ErrProxyHeader
		}
	}
	return v2Fixed + length, src, nil
}

// v2AddrLen returns the length of the addresses of a family and transport, and
// whether there is such a pair.
func v2AddrLen(b byte) (n int, ok bool) {
	switch b {
	case 0x00:
		return 0, true
	case 0x11, 0x12:
		return 12, true
	case 0x21, 0x22:
		return 36, true
	case 0x31, 0x32:
		return 216, true
	}
	return 0, false
}
