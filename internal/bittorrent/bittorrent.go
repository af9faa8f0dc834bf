// Package bittorrent is the vocabulary that the packages of Spate share: info
// hashes, events, what an announce asks and what it is answered. It knows
// neither HTTP nor how peers are stored.
package bittorrent

import (
	"encoding/hex"
	"net/netip"
	"time"
)

const (
	// InfoHashLen is the length in bytes of an info hash on the wire (BEP 3),
	// also of a v2 hash truncated for trackers (BEP 52).
	InfoHashLen = 20
	// CompactLen4 is the length of an IPv4 peer in compact form: 4 bytes of
	// address, 2 of port, both big-endian (BEP 23).
	CompactLen4 = 6
	// CompactLen6 is the length of an IPv6 peer in compact form: 16 bytes of
	// address, 2 of port (BEP 7).
	CompactLen6 = 18
	// NumWantUnset stands for a numwant that was missing, negative or garbage.
	NumWantUnset = -1
)

// InfoHash names a torrent: the SHA-1 of its info dictionary (BEP 3), or the
// first 20 bytes of the SHA-256 of a v2 one (BEP 52).
type InfoHash [InfoHashLen]byte

// String returns the hash as 40 lower-case hex digits.
func (h InfoHash) String() string { return hex.EncodeToString(h[:]) }

// Event is what a client says has just happened to it.
type Event uint8

// The events of BEP 3 and, for EventPaused, BEP 21.
const (
	EventNone Event = iota // a periodic announce; also an unknown or empty event
	EventStarted
	EventStopped
	EventCompleted
	EventPaused // a partial seed: it wants nothing more, and is not a seeder
)

// String returns the event as a query spells it; EventNone is empty.
func (e Event) String() string { return events[e] }

// events holds for each Event its spelling in a query.
var events = [...]string{
	EventNone:      "",
	EventStarted:   "started",
	EventStopped:   "stopped",
	EventCompleted: "completed",
	EventPaused:    "paused",
}

// AnnounceRequest is an announce as its query says it. Where it came from is
// not part of it.
type AnnounceRequest struct {
	InfoHash InfoHash
	Port     uint16
	Seeder   bool // left=0
	Event    Event
	NumWant  int  // peers wanted, at least 0, or NumWantUnset
	Compact  bool // false only for compact=0

	// IP, IPv4 and IPv6 are the addresses that the client claims. The zero
	// Addr stands for a missing or unusable one. They are unmapped and
	// without zone.
	IP, IPv4, IPv6 netip.Addr
}

// Announce is what the store is told of one peer: an AnnounceRequest after
// policy, with the address that counts.
type Announce struct {
	InfoHash InfoHash
	Addr     netip.Addr // IPv4 or IPv6, never IPv4-mapped, without zone
	Port     uint16
	Seeder   bool
	Event    Event
	NumWant  int // peers wanted, 0 to the configured maximum, never NumWantUnset
	// HidePrivate keeps peers with private, loopback or link-local addresses, and
	// with those that carriers share (100.64/10, RFC 6598), out of the reply.
	HidePrivate bool
}

// AnnounceReply is the answer to an announce.
type AnnounceReply struct {
	Complete   uint32 // seeders, the announcing peer included
	Incomplete uint32 // leechers and partial seeds, the announcing peer included
	Downloaded uint32 // completed downloads that the tracker was told of

	// Peers and Peers6 hold peers in compact form, CompactLen4 and
	// CompactLen6 bytes each. Whoever fills the reply appends to Peers[:0] and
	// Peers6[:0], so one AnnounceReply serves many announces; the bytes last
	// until the next one.
	Peers, Peers6 []byte

	Interval    time.Duration // whole seconds
	MinInterval time.Duration // whole seconds
	ExternalIP  netip.Addr    // the zero Addr leaves `external ip` out
	Compact     bool          // false: a list of dictionaries
	// Requester6 says that the announce came from an IPv6 address: peers6 is then
	// sent even when it is empty, and a list has the IPv6 peers first.
	Requester6 bool

	// Lane and Missed are the store's own: the lock that the last announce took, and how
	// many announces in a row only looked like renewals. Whoever uses the reply again for
	// the next announce leaves them as they are.
	Lane, Missed uint32
}

// ScrapeRequest is a scrape as its query says it.
type ScrapeRequest struct {
	// InfoHashes are the first different hashes of the query, as many as the
	// parser was told to keep, in ascending order, which is that of a reply. A
	// parser appends to InfoHashes[:0].
	InfoHashes []InfoHash
}

// ScrapeEntry is what a scrape says of one torrent (BEP 48, BEP 21).
type ScrapeEntry struct {
	InfoHash    InfoHash
	Complete    uint32 // seeders
	Incomplete  uint32 // leechers and partial seeds
	Downloaders uint32 // leechers that are not partial seeds
	Downloaded  uint32 // completed downloads
}
