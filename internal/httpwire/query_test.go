package httpwire

import (
	"net/netip"
	"strconv"

	"spate/internal/bittorrent"
)

// safe is true for the bytes that appendAnnounceQuery leaves as they are in binary
// values: those that libtorrent-rasterbar leaves.
var safe = func() (t [256]bool) {
	for _, c := range "-_.!~*()0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()

// appendAnnounceQuery appends the query of an announce as libtorrent-rasterbar
// writes it, for tests: parsing it gives r again. The key that a client sends to
// prove who it is comes from the last bytes of peerID. A NumWant below 0 and an
// EventNone are left out, and so are claimed addresses that are not valid.
func appendAnnounceQuery(dst []byte, r *bittorrent.AnnounceRequest, peerID *[20]byte) []byte {
	dst = appendEscaped(append(dst, nameInfoHash...), r.InfoHash[:])
	dst = appendEscaped(append(dst, "&"+namePeerID...), peerID[:])
	dst = strconv.AppendUint(append(dst, "&"+namePort...), uint64(r.Port), 10)
	dst = append(dst, "&uploaded=0&downloaded=0&"+nameLeft...)
	if r.Seeder {
		dst = append(dst, '0')
	} else {
		dst = append(dst, "16384"...)
	}
	dst = append(dst, "&corrupt=0&key="...)
	for _, c := range peerID[len(peerID)-4:] {
		dst = append(dst, upperHex[c>>4], upperHex[c&15])
	}
	if r.Event != bittorrent.EventNone {
		dst = append(append(dst, "&"+nameEvent...), r.Event.String()...)
	}
	if r.NumWant >= 0 {
		dst = strconv.AppendUint(append(dst, "&"+nameNumWant...), uint64(r.NumWant), 10)
	}
	if r.Compact {
		dst = append(dst, "&"+nameCompact+"1&no_peer_id=1"...)
	} else {
		dst = append(dst, "&"+nameCompact+"0&no_peer_id=1"...)
	}
	dst = append(dst, "&supportcrypto=1&redundant=0"...)
	dst = appendClaim(dst, "&"+nameIP, r.IP)
	dst = appendClaim(dst, "&"+nameIPv4, r.IPv4)
	return appendClaim(dst, "&"+nameIPv6, r.IPv6)
}

// appendScrapeQuery appends the query of a scrape for hashes, for tests.
func appendScrapeQuery(dst []byte, hashes []bittorrent.InfoHash) []byte {
	for i := range hashes {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = appendEscaped(append(dst, nameInfoHash...), hashes[i][:])
	}
	return dst
}

const (
	lowerHex = "0123456789abcdef"
	upperHex = "0123456789ABCDEF"
)

// appendEscaped appends the bytes of v, those that are not safe as %xx.
func appendEscaped(dst, v []byte) []byte {
	for _, c := range v {
		if safe[c] {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', lowerHex[c>>4], lowerHex[c&15])
		}
	}
	return dst
}

// appendClaim appends a claimed address as the parameter name.
func appendClaim(dst []byte, name string, a netip.Addr) []byte {
	if !a.IsValid() {
		return dst
	}
	return a.AppendTo(append(dst, name...))
}
