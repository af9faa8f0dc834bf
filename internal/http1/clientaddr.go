package http1

import (
	"bytes"
	"errors"
	"net/netip"

	"spate/internal/ipaddr"
)

// AddrFormat is how the client address header of a reverse proxy is written.
type AddrFormat uint8

// The formats, named as the configuration names them.
const (
	// AddrFormatLast is last_address: X-Forwarded-For, a list of addresses to
	// which each proxy appends the one it was called from.
	AddrFormatLast AddrFormat = iota
	// AddrFormatForwarded is forwarded: the Forwarded header of RFC 7239.
	AddrFormatForwarded
	// AddrFormatSingle is single_address: one address that the proxy sets, as
	// X-Real-IP and CF-Connecting-IP.
	AddrFormatSingle
)

// Why a trusted proxy's request has no client address. Neither may be papered
// over with the proxy's own address: it would enter swarms as a peer.
var (
	ErrAddrMissing  = errors.New("http1: no client address header from a trusted proxy")
	ErrAddrUnusable = errors.New("http1: unusable client address header from a trusted proxy")
)

// ClientAddr returns whose request h is. source is the address of the
// connection, or what a PROXY header said; the zero Addr stands for a unix
// socket, whose every user is a trusted proxy. The values of h.AddrHeader are
// read as format says, and only if source lies in trusted: anybody else's
// header is ignored and source itself is the client.
//
// A list reads from its right end, over all lines of the header, since each
// proxy vouches only for the entry that it appended. The client is the first
// entry that is not a trusted proxy. What stands left of it was written by
// that client and proves nothing. Hence
//
//   - an entry that is no address (garbage, "unknown", a name like "_hidden",
//     a Forwarded element without "for") ends the search without a result:
//     whoever wrote what is left of it is not known;
//   - where all entries are trusted proxies, the left-most one is the client: a
//     host of the operator's own network;
//   - where more than MaxAddrHeaders lines came, those kept must decide.
//
// Addresses are unmapped and have no zone. The error is nil, ErrAddrMissing or
// ErrAddrUnusable. Nothing is allocated.
func ClientAddr(source netip.Addr, h *Head, format AddrFormat, trusted *ipaddr.PrefixSet) (netip.Addr, error) {
	if source.IsValid() {
		source = source.Unmap().WithZone("")
		if !trusted.Contains(source) {
			return source, nil
		}
	}
	if h.addrSeen == 0 {
		return netip.Addr{}, ErrAddrMissing
	}
	switch format {
	case AddrFormatSingle:
		return singleAddr(h)
	case AddrFormatForwarded:
		return forwardedAddr(h, trusted)
	}
	return lastAddr(h, trusted)
}

// singleAddr reads a header that is one address. Of several lines the last one
// counts, which is the one that a proxy appends; an empty one is as none.
func singleAddr(h *Head) (netip.Addr, error) {
	value := h.AddrValue(0)
	if len(value) == 0 {
		return netip.Addr{}, ErrAddrMissing
	}
	if addr, ok := parseNode(value); ok {
		return addr, nil
	}
	return netip.Addr{}, ErrAddrUnusable
}

// lastAddr walks lists of addresses from the right.
func lastAddr(h *Head, trusted *ipaddr.PrefixSet) (netip.Addr, error) {
	var leftmost netip.Addr
	for i := range h.AddrInstances() {
		list := h.AddrValue(i)
		for len(list) > 0 {
			comma := bytes.LastIndexByte(list, ',')
			entry := trim(list[comma+1:])
			list = list[:max(comma, 0)]
			if len(entry) == 0 {
				continue // RFC 9110, 5.6.1: empty entries of a list count for nothing
			}
			addr, ok := parseNode(entry)
			if !ok {
				return netip.Addr{}, ErrAddrUnusable
			}
			if !trusted.Contains(addr) {
				return addr, nil
			}
			leftmost = addr
		}
	}
	return ownNetwork(h, leftmost)
}

// ownNetwork settles a header of which every entry kept is a trusted proxy.
func ownNetwork(h *Head, leftmost netip.Addr) (netip.Addr, error) {
	switch {
	case h.addrSeen > MaxAddrHeaders:
		return netip.Addr{}, ErrAddrUnusable
	case !leftmost.IsValid():
		return netip.Addr{}, ErrAddrMissing
	}
	return leftmost, nil
}
