package tracker

import (
	"fmt"
	"net/netip"
)

// PrivatePeers says to whom the private, loopback and link-local addresses in
// a swarm are given. A stranger cannot reach them, but tries; on a LAN they
// are all there is.
type PrivatePeers uint8

const (
	// PrivatePeersAuto gives them to clients whose own address is not public.
	PrivatePeersAuto PrivatePeers = iota
	// PrivatePeersAlways gives them to everyone: a tracker that is inside.
	PrivatePeersAlways
	// PrivatePeersNever gives them to nobody.
	PrivatePeersNever
)

var privatePeersNames = [...]string{
	PrivatePeersAuto:   "auto",
	PrivatePeersAlways: "always",
	PrivatePeersNever:  "never",
}

func (p PrivatePeers) valid() bool { return int(p) < len(privatePeersNames) }

// String returns the value as the configuration writes it.
func (p PrivatePeers) String() string {
	if !p.valid() {
		return fmt.Sprintf("PrivatePeers(%d)", uint8(p))
	}
	return privatePeersNames[p]
}

// MarshalText is String, for encoders.
func (p PrivatePeers) MarshalText() ([]byte, error) {
	if !p.valid() {
		return nil, fmt.Errorf("hand_out_private_addresses has no value %d", uint8(p))
	}
	return []byte(privatePeersNames[p]), nil
}

// UnmarshalText reads auto, always or never.
func (p *PrivatePeers) UnmarshalText(text []byte) error {
	for i, name := range privatePeersNames {
		if string(text) == name {
			*p = PrivatePeers(i)
			return nil
		}
	}
	return fmt.Errorf("hand_out_private_addresses = %q: give auto, always or never", text)
}

// isPublic reports whether addr can be reached, and is the same, all over the
// internet. It is not for private networks (RFC 1918, RFC 4193), loopback,
// link-local, multicast, broadcast and unspecified addresses, nor for 0/8 and
// 100.64/10 (RFC 6598): behind a carrier's NAT the tracker sees an address
// that means something to that carrier only, so it is no external address to
// report, and who has one may well reach private neighbours. addr is unmapped
// and without zone.
func isPublic(addr netip.Addr) bool {
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	if addr.Is4() {
		b := addr.As4()
		return b[0] != 0 && !(b[0] == 100 && b[1]&0xc0 == 64)
	}
	return true
}

// usableAddr reports whether a peer may have the address that it claims.
func usableAddr(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsUnspecified() && !addr.IsMulticast() && addr != broadcast
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// unmapPrefix turns a prefix of IPv4-mapped addresses into the IPv4 one that
// sources, which are unmapped, can lie in.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}
