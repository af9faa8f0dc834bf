package httpwire

import (
	"spate/internal/bittorrent"
)

// The parameters of an announce that are read, with the = that ends a name.
// Names are compared as they come: no client escapes them. Everything else
// (uploaded, downloaded, corrupt, redundant, key, no_peer_id, supportcrypto,
// trackerid …) is accepted and skipped.
//
//	info_hash  20 bytes, or the 32 of a v2 hash     exactly once
//	peer_id    20 bytes, or empty                   checked, not kept
//	port       0…65535                              required; all equal
//	left       0 = seeder, anything else = leecher
//	event      started stopped completed paused     any letter case
//	numwant    0…                                   else NumWantUnset
//	compact    0 = a list of dictionaries
//	ip         an address of either family          else the zero Addr
//	ipv4 ipv6  an address of that family            else the zero Addr
const (
	nameInfoHash = "info_hash="
	namePeerID   = "peer_id="
	namePort     = "port="
	nameLeft     = "left="
	nameEvent    = "event="
	nameNumWant  = "numwant="
	nameCompact  = "compact="
	nameIP       = "ip="
	nameIPv4     = "ipv4="
	nameIPv6     = "ipv6="
)

// MaxNumWant is the largest numwant that a parsed request holds; more is cut
// down to it, so that it fits an int of any size.
const MaxNumWant = 1<<31 - 1

// portMissing stands for no port parameter yet.
const portMissing = -1

// required is what an announce's required parameters have come to. Failures
// are kept apart until the end, so that the order of the parameters does not
// decide which of several is reported.
type required struct {
	port   int64 // 0…65535, or portMissing
	hashes int   // how many info_hash there were

	hashFailure, peerIDFailure, portFailure bittorrent.Failure
}

// ParseAnnounce parses the query of an announce, the part after the `?` as it
// stands in the request target, to r. Of several failures it returns that of
// info_hash before that of peer_id before that of port; r is then the zero
// value. It keeps nothing of query.
func ParseAnnounce(query []byte, r *bittorrent.AnnounceRequest) bittorrent.Failure {
	*r = bittorrent.AnnounceRequest{NumWant: bittorrent.NumWantUnset, Compact: true}
	req := required{port: portMissing}
	var peerID [peerIDLen]byte
	for len(query) > 0 {
		switch query[0] {
		case 'i':
			if rest, ok := takeFixed(query, nameInfoHash, (*[20]byte)(&r.InfoHash)); ok {
				req.hashes++
				query = rest
				continue
			}
		case 'p':
			if rest, ok := takeFixed(query, namePeerID, &peerID); ok {
				req.peerIDFailure = bittorrent.FailureNone
				query = rest
				continue
			}
		}
		var param []byte
		param, query = nextParam(query)
		if len(param) > 0 {
			parseParam(param, r, &req)
		}
	}
	if f := req.failure(); f != bittorrent.FailureNone {
		*r = bittorrent.AnnounceRequest{}
		return f
	}
	r.Port = uint16(req.port)
	return bittorrent.FailureNone
}

// failure returns the first of the failures, FailureNone where the request is
// sound.
func (q *required) failure() bittorrent.Failure {
	switch {
	case q.hashes == 0:
		return bittorrent.FailureInfoHashMissing
	case q.hashes > 1:
		return bittorrent.FailureInfoHashDuplicate
	case q.hashFailure != bittorrent.FailureNone:
		return q.hashFailure
	case q.peerIDFailure != bittorrent.FailureNone:
		return q.peerIDFailure
	case q.portFailure != bittorrent.FailureNone:
		return q.portFailure
	case q.port == portMissing:
		return bittorrent.FailurePortMissing
	}
	return bittorrent.FailureNone
}

// parseParam reads one parameter, which is not empty. Its first letter rules
// out most of those that are skipped; the names behind it are compared as whole
// words.
func parseParam(param []byte, r *bittorrent.AnnounceRequest, q *required) {
	switch param[0] {
	case 'i':
		parseI(param, r, q)
	case 'p':
		if v, ok := value(param, namePort); ok {
			q.setPort(v)
		} else if v, ok := value(param, namePeerID); ok {
			q.peerIDFailure = parsePeerID(v)
		}
	case 'l':
		if v, ok := value(param, nameLeft); ok {
			n, ok := number(v, 0)
			r.Seeder = ok && n == 0
		}
	case 'e':
		if v, ok := value(param, nameEvent); ok {
			r.Event = parseEvent(v)
		}
	case 'n':
		if v, ok := value(param, nameNumWant); ok {
			r.NumWant = bittorrent.NumWantUnset
			if n, ok := number(v, MaxNumWant); ok {
				r.NumWant = int(min(n, MaxNumWant))
			}
		}
	case 'c':
		if v, ok := value(param, nameCompact); ok {
			var scratch [maxValue]byte
			r.Compact = string(plain(v, &scratch)) != "0"
		}
	}
}

// parseI reads the parameters that begin with i: claimed addresses, and an
// info_hash that takeFixed did not take.
func parseI(param []byte, r *bittorrent.AnnounceRequest, q *required) {
	if v, ok := value(param, nameInfoHash); ok {
		q.hashes++
		q.hashFailure = parseInfoHash(v, &r.InfoHash)
	} else if v, ok := value(param, nameIP); ok {
		r.IP = claimedAddr(v)
	} else if v, ok := value(param, nameIPv4); ok {
		r.IPv4 = onlyFamily(claimedAddr(v), true)
	} else if v, ok := value(param, nameIPv6); ok {
		r.IPv6 = onlyFamily(claimedAddr(v), false)
	}
}

// peerIDLen is the length in bytes of a peer id (BEP 3).
const peerIDLen = 20

// parsePeerID checks the value of a peer_id. A bad escape makes it garbage,
// which is not 20 bytes. The last peer_id counts, so a good one also clears the
// failure of one before it.
func parsePeerID(v []byte) bittorrent.Failure {
	if n, ok := unescape(nil, v); !ok || n != 0 && n != peerIDLen {
		return bittorrent.FailurePeerIDLength
	}
	return bittorrent.FailureNone
}

// setPort takes one port parameter. The first failure stays.
func (q *required) setPort(v []byte) {
	if q.portFailure != bittorrent.FailureNone {
		return
	}
	n, ok := number(v, 65535)
	switch {
	case !ok || n > 65535:
		q.portFailure = bittorrent.FailurePortInvalid
	case q.port != portMissing && q.port != n:
		q.portFailure = bittorrent.FailurePortDuplicate
	}
	q.port = n
}

// value returns what follows name in param, and whether param has that name.
// It is small enough to be inlined, so that name is a constant to compare with.
func value(param []byte, name string) ([]byte, bool) {
	if len(param) < len(name) || string(param[:len(name)]) != name {
		return nil, false
	}
	return param[len(name):], true
}

// number reads v, which may have escapes, as decimal digits. A number above
// limit comes back as some number above limit, so that one of any length is told
// apart from garbage. It is not ok where v is empty or has anything but digits.
func number(v []byte, limit int64) (n int64, ok bool) {
	if n, ok = digits(v, limit); ok {
		return n, true
	}
	var scratch [maxValue]byte
	return digits(plain(v, &scratch), limit)
}

// digits is number without escapes.
func digits(v []byte, limit int64) (n int64, ok bool) {
	for _, c := range v {
		d := int64(c) - '0'
		if d < 0 || d > 9 {
			return 0, false
		}
		if n <= limit {
			n = n*10 + d
		}
	}
	return n, len(v) > 0
}

// parseEvent reads an event in any letter case. An empty or unknown one is
// EventNone.
func parseEvent(v []byte) bittorrent.Event {
	var scratch [maxValue]byte
	v = plain(v, &scratch)
	for e := bittorrent.EventStarted; e <= bittorrent.EventPaused; e++ {
		if equalFold(v, e.String()) {
			return e
		}
	}
	return bittorrent.EventNone
}

// equalFold reports whether v is word in any letter case. word is of lower-case
// ASCII letters.
func equalFold(v []byte, word string) bool {
	if len(v) != len(word) {
		return false
	}
	for i, c := range v {
		if c|0x20 != word[i] {
			return false
		}
	}
	return true
}
