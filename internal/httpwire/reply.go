package httpwire

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"spate/internal/bittorrent"
)

// maxInt is the largest integer that a reply holds: anacrolix/torrent, rain and
// MonoTorrent read them as 32 bits with sign.
const maxInt = math.MaxInt32

// Sizes in bytes of what a reply needs room for, so that it grows its buffer
// once: everything but the peers, one entry of a list of peers, one of a scrape.
const (
	announceFrame = 256
	listEntry     = 80
	scrapeEntry   = 128
	scrapeFrame   = 64
)

// AppendAnnounceReply appends r as one bencoded dictionary and nothing after
// it. Its keys, in the bytewise order that bencode asks for:
//
//	complete      seeders                        always
//	downloaded    completed downloads            always
//	external ip   4 or 16 bytes (BEP 24)         where r.ExternalIP is valid
//	incomplete    leechers                       always
//	interval      seconds                        always (rqbit, BiglyBT, ctorrent)
//	min interval  seconds                        always
//	peers         6 bytes a peer (BEP 23)        always, perhaps empty
//	peers6        18 bytes a peer (BEP 7)        where not empty, or r.Requester6
//
// Without r.Compact peers is a list of {ip, port} dictionaries of both families,
// the requester's own first, and there is no peers6. Counts and seconds above
// 2³¹-1 are sent as that, negative seconds as 0.
func AppendAnnounceReply(dst []byte, r *bittorrent.AnnounceReply) []byte {
	room := announceFrame + len(r.Peers) + len(r.Peers6)
	if !r.Compact {
		room = announceFrame + listEntry*(len(r.Peers)/bittorrent.CompactLen4+len(r.Peers6)/bittorrent.CompactLen6)
	}
	dst = slices.Grow(dst, room)
	dst = append(dst, "d8:completei"...)
	dst = appendInt(dst, r.Complete)
	dst = append(dst, "e10:downloadedi"...)
	dst = appendInt(dst, r.Downloaded)
	dst = append(dst, 'e')
	if r.ExternalIP.IsValid() {
		dst = appendExternalIP(dst, r.ExternalIP)
	}
	dst = append(dst, "10:incompletei"...)
	dst = appendInt(dst, r.Incomplete)
	dst = append(dst, "e8:intervali"...)
	dst = appendInt(dst, seconds(r.Interval))
	dst = append(dst, "e12:min intervali"...)
	dst = appendInt(dst, seconds(r.MinInterval))
	dst = append(dst, "e5:peers"...)
	if !r.Compact {
		dst = appendPeerList(dst, r.Peers, r.Peers6, r.Requester6)
		return append(dst, 'e')
	}
	dst = appendString(dst, r.Peers)
	if len(r.Peers6) > 0 || r.Requester6 {
		dst = append(dst, "6:peers6"...)
		dst = appendString(dst, r.Peers6)
	}
	return append(dst, 'e')
}

// AppendScrapeReply appends a scrape's reply as one bencoded dictionary and
// nothing after it (BEP 48; downloaders is of BEP 21):
//
//	files  by info hash: {complete, downloaded, downloaders, incomplete}
//	flags  {min_request_interval}, in seconds
//
// entries are in ascending order of their info hashes and without duplicates,
// as ParseScrape gives them.
func AppendScrapeReply(dst []byte, entries []bittorrent.ScrapeEntry, minRequestInterval time.Duration) []byte {
	dst = slices.Grow(dst, scrapeFrame+scrapeEntry*len(entries))
	dst = append(dst, "d5:filesd"...)
	for i := range entries {
		e := &entries[i]
		dst = append(dst, "20:"...)
		dst = append(dst, e.InfoHash[:]...)
		dst = append(dst, "d8:completei"...)
		dst = appendInt(dst, e.Complete)
		dst = append(dst, "e10:downloadedi"...)
		dst = appendInt(dst, e.Downloaded)
		dst = append(dst, "e11:downloadersi"...)
		dst = appendInt(dst, e.Downloaders)
		dst = append(dst, "e10:incompletei"...)
		dst = appendInt(dst, e.Incomplete)
		dst = append(dst, "ee"...)
	}
	dst = append(dst, "e5:flagsd20:min_request_intervali"...)
	dst = appendInt(dst, seconds(minRequestInterval))
	return append(dst, "eee"...)
}

// AppendFailure appends a refusal as one bencoded dictionary and nothing after
// it: `failure reason`, then `interval` and `min interval` in seconds, since
// clients that are told no interval come back at one of their own. `retry in`
// (BEP 31) is the string never for a permanent failure. For a temporary one it is
// minInterval in minutes, rounded up, as a string of digits: that is how the BEP's
// examples have it, and there are clients that fail on a number.
func AppendFailure(dst []byte, f bittorrent.Failure, interval, minInterval time.Duration) []byte {
	reason := f.Reason()
	dst = slices.Grow(dst, announceFrame+len(reason))
	dst = append(dst, "d14:failure reason"...)
	dst = appendInt(dst, uint32(len(reason)))
	dst = append(dst, ':')
	dst = append(dst, reason...)
	dst = append(dst, "8:intervali"...)
	dst = appendInt(dst, seconds(interval))
	dst = append(dst, "e12:min intervali"...)
	dst = appendInt(dst, seconds(minInterval))
	dst = append(dst, 'e')
	switch {
	case f.Permanent():
		dst = append(dst, "8:retry in5:never"...)
	case f.Temporary():
		var minutes [10]byte
		dst = append(dst, "8:retry in"...)
		dst = appendString(dst, appendInt(minutes[:0], seconds(minInterval+time.Minute-1)/60))
	}
	return append(dst, 'e')
}

// seconds returns d in whole seconds, 0 to maxInt.
func seconds(d time.Duration) uint32 {
	return uint32(min(max(d/time.Second, 0), maxInt))
}

// appendInt appends n, cut down to maxInt, in decimal digits.
func appendInt(dst []byte, n uint32) []byte {
	return strconv.AppendUint(dst, uint64(min(n, maxInt)), 10)
}

// appendString appends s as a byte string of bencode.
func appendString(dst, s []byte) []byte {
	dst = appendInt(dst, uint32(len(s)))
	dst = append(dst, ':')
	return append(dst, s...)
}

// appendExternalIP appends the `external ip` pair: the address in 4 or 16 bytes,
// big-endian (BEP 24).
func appendExternalIP(dst []byte, ip netip.Addr) []byte {
	ip = ip.Unmap()
	if ip.Is4() {
		a := ip.As4()
		dst = append(dst, "11:external ip4:"...)
		return append(dst, a[:]...)
	}
	a := ip.As16()
	dst = append(dst, "11:external ip16:"...)
	return append(dst, a[:]...)
}

// appendPeerList appends compact peers of both families as a list of
// dictionaries with the address as text, for compact=0. There is no `peer id`: the
// store keeps none.
func appendPeerList(dst, peers, peers6 []byte, sixFirst bool) []byte {
	dst = append(dst, 'l')
	if sixFirst {
		dst = appendPeers6(dst, peers6)
	}
	for ; len(peers) >= bittorrent.CompactLen4; peers = peers[bittorrent.CompactLen4:] {
		ip := netip.AddrFrom4([4]byte(peers))
		dst = appendPeer(dst, ip, binary.BigEndian.Uint16(peers[4:]))
	}
	if !sixFirst {
		dst = appendPeers6(dst, peers6)
	}
	return append(dst, 'e')
}

// appendPeers6 appends compact IPv6 peers as elements of a list.
func appendPeers6(dst, peers6 []byte) []byte {
	for ; len(peers6) >= bittorrent.CompactLen6; peers6 = peers6[bittorrent.CompactLen6:] {
		ip := netip.AddrFrom16([16]byte(peers6))
		dst = appendPeer(dst, ip, binary.BigEndian.Uint16(peers6[16:]))
	}
	return dst
}

// appendPeer appends one {ip, port} dictionary.
func appendPeer(dst []byte, ip netip.Addr, port uint16) []byte {
	var text [48]byte
	dst = append(dst, "d2:ip"...)
	dst = appendString(dst, ip.AppendTo(text[:0]))
	dst = append(dst, "4:porti"...)
	dst = appendInt(dst, uint32(port))
	return append(dst, "ee"...)
}
