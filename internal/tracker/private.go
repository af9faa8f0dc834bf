package tracker

import "net/netip"

// PrivatePeers says to whom the addresses in a swarm that are not public are given:
// private, shared (RFC 6598), loopback and link-local ones. A stranger cannot reach
// them, but tries; on a LAN they are all there is.
type PrivatePeers uint8

const (
	// PrivatePeersAuto gives them to clients whose own address is not public.
	PrivatePeersAuto PrivatePeers = iota
	// PrivatePeersAlways gives them to everyone: a tracker that is inside.
	PrivatePeersAlways
	// PrivatePeersNever gives them to nobody.
	PrivatePeersNever
)

func (p PrivatePeers) valid() bool { return p <= PrivatePeersNever }

// isPublic reports whether addr can be reached, and is the same, all over the
// internet. addr is unmapped and without zone. Not public are, of IPv6,
// unspecified, loopback, link-local, unique-local (RFC 4193) and multicast
// addresses, and of IPv4:
//
//	0/8                 this network
//	10/8, 172.16/12, 192.168/16   private (RFC 1918)
//	100.64/10           carrier's NAT (RFC 6598): what the tracker sees means
//	                    something to that carrier only, so it is no external
//	                    address to report, and who has it may have private
//	                    neighbours
//	127/8               loopback
//	169.254/16          link-local (RFC 3927)
//	224/4, 240/4        multicast; reserved and broadcast
func isPublic(addr netip.Addr) bool {
	if !addr.Is4() {
		return addr.IsGlobalUnicast() && !addr.IsPrivate()
	}
	b := addr.As4()
	switch b[0] {
	case 0, 10, 127:
		return false
	case 100:
		return b[1]&0xc0 != 64
	case 169:
		return b[1] != 254
	case 172:
		return b[1]&0xf0 != 16
	case 192:
		return b[1] != 168
	default:
		return b[0] < 224
	}
}
