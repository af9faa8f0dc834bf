package swarmtest

import (
	"encoding/binary"
	"net/netip"

	"spate/internal/bittorrent"
)

// Private reports whether an address is private (RFC 1918, RFC 4193), loopback
// or link-local: exempt from MaxPeersPerIP.
func Private(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast()
}

// Hidden reports whether HidePrivate hides an address: a private one, or one of
// those that carriers share (RFC 6598).
func Hidden(a netip.Addr) bool { return Private(a) || shared.Contains(a) }

var shared = netip.MustParsePrefix("100.64.0.0/10")

// sameSource reports whether two addresses count as one for MaxPeersPerIP.
func sameSource(a, b netip.Addr) bool {
	if a.Is4() || b.Is4() {
		return a == b
	}
	x, y := a.As16(), b.As16()
	return [8]byte(x[:8]) == [8]byte(y[:8])
}

// AppendCompact appends a peer in compact form (BEP 23, BEP 7).
func AppendCompact(dst []byte, p netip.AddrPort) []byte {
	dst = append(dst, p.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(dst, p.Port())
}

// Peers returns the peers of a reply, IPv4 before IPv6.
func Peers(r *bittorrent.AnnounceReply) []netip.AddrPort {
	var peers []netip.AddrPort
	for _, family := range []struct {
		wire []byte
		size int
	}{{r.Peers, bittorrent.CompactLen4}, {r.Peers6, bittorrent.CompactLen6}} {
		for b := family.wire; len(b) >= family.size; b = b[family.size:] {
			addr, _ := netip.AddrFromSlice(b[:family.size-2])
			peers = append(peers, netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[family.size-2:])))
		}
	}
	return peers
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
