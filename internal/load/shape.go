package load

import (
	"math/rand/v2"
	"strconv"
	"strings"

	"spate/internal/bittorrent"
)

// maxScrapeHashes is the most info hashes that a scrape asks for: at 64 bytes
// each when fully escaped, they fit an 8 KiB request head.
const maxScrapeHashes = 100

// Values of MixConfig.Client that name no single client.
const (
	clientAquatic = "aquatic"
	clientMixed   = "mixed"
)

// A shape is how one client writes its requests: the order of the parameters,
// what it leaves unescaped, and the header lines. Facts from the clients' own
// sources; internal/httpwire/testdata/clients.txt has a request of each.
type shape struct {
	name   string
	weight int // share among public swarms, in percent

	// params are the parameters in order: "name=value" stands for itself, a
	// bare name is filled in.
	params []string
	// raw are the bytes besides letters and digits that stay unescaped in
	// binary values.
	raw       string
	escapeAll bool // letters and digits are escaped too
	upperHex  bool // hex digits of escapes
	numWant   int  // -1 leaves it out
	keyFmt    keyFormat
	peerID    string // the first bytes of the peer id
	header    string // header lines after Host, each ended by CR LF
	http10    bool
	close     bool // the client asks for, or needs, the connection's end
	noHost    bool
	// onlyStarts is for a client that sends no other event than started, so it
	// leaves without a word.
	onlyStarts bool
	trailer    string // bytes after the head
}

// says returns the event that the client sends where others send e.
func (s *shape) says(e bittorrent.Event) bittorrent.Event {
	if s.onlyStarts && e != bittorrent.EventStarted {
		return bittorrent.EventNone
	}
	return e
}

type keyFormat uint8

const (
	keyHex keyFormat = iota
	keyLowerHex
	keyDecimal
	keyAlnum
)

// left returns what a leecher says is left: any number but 0 means the same to a
// tracker.
func (s *shape) left() uint64 {
	if s.name == clientAquatic {
		return 50 // as aquatic_http_load_test says
	}
	return 16384 // as libtorrent says of a magnet link
}

// clientNames returns the values that MixConfig.Client takes.
func clientNames() []string {
	names := []string{clientMixed}
	for _, s := range shapes() {
		names = append(names, s.name)
	}
	return names
}

// announce is one announce before it is written down.
type announce struct {
	infoHash   bittorrent.InfoHash
	peerID     [20]byte
	port       uint16
	key        uint32
	seeder     bool
	nonCompact bool
	event      bittorrent.Event
	numWant    int // -1 leaves it out
}

// appendQuery appends the query of an announce, without its question mark.
func (s *shape) appendQuery(dst []byte, a *announce) []byte {
	start := len(dst)
	for _, p := range s.params {
		mark := len(dst)
		if mark > start {
			dst = append(dst, '&')
		}
		dst = append(dst, p...)
		body := len(dst)
		switch p {
		case "info_hash":
			dst = s.appendEscaped(append(dst, '='), a.infoHash[:])
		case "peer_id":
			dst = s.appendEscaped(append(dst, '='), a.peerID[:])
		case "port":
			dst = strconv.AppendUint(append(dst, '='), uint64(a.port), 10)
		case "left":
			dst = append(dst, '=')
			if a.seeder {
				dst = append(dst, '0')
			} else {
				dst = strconv.AppendUint(dst, s.left(), 10)
			}
		case "event":
			if name := a.event.String(); name != "" {
				dst = append(append(dst, '='), name...)
			} else {
				dst = dst[:mark]
			}
		case "numwant":
			if a.numWant >= 0 {
				dst = strconv.AppendInt(append(dst, '='), int64(a.numWant), 10)
			} else {
				dst = dst[:mark]
			}
		case "key":
			dst = s.appendKey(append(dst, '='), a.key)
		case "compact=1":
			if a.nonCompact {
				dst[body-1] = '0'
			}
		}
	}
	return dst
}

func (s *shape) appendKey(dst []byte, key uint32) []byte {
	switch s.keyFmt {
	case keyDecimal:
		return strconv.AppendInt(dst, int64(int32(key)), 10)
	case keyAlnum:
		const alnum = "abcdefghijklmnopqrstuvwxyzABCDEF"
		for i := range 8 {
			dst = append(dst, alnum[key>>(4*i)&31])
		}
		return dst
	default:
		digits := upperDigits
		if s.keyFmt == keyLowerHex {
			digits = lowerDigits
		}
		for i := 28; i >= 0; i -= 4 {
			dst = append(dst, digits[key>>i&15])
		}
		return dst
	}
}

const (
	upperDigits = "0123456789ABCDEF"
	lowerDigits = "0123456789abcdef"
)

// appendEscaped appends binary bytes as the client escapes them.
func (s *shape) appendEscaped(dst, b []byte) []byte {
	digits := lowerDigits
	if s.upperHex {
		digits = upperDigits
	}
	for _, c := range b {
		if !s.escapeAll && (isAlnum(c) || strings.IndexByte(s.raw, c) >= 0) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

func isAlnum(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 26
}

// newPeerID returns a peer id as the client would make it.
func (s *shape) newPeerID(rng *rand.Rand) (id [20]byte) {
	n := copy(id[:], s.peerID)
	for i := n; i < len(id); i++ {
		id[i] = byte(rng.Uint32())
	}
	return id
}
