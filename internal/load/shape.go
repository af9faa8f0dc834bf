package load

import (
	"math/rand/v2"
	"strconv"

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
// sources, gathered in the project's CLIENTS sheet.
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
}

type keyFormat uint8

const (
	keyHex keyFormat = iota
	keyDecimal
	keyAlnum
)

// left is what a leecher says is left. Clients that know no size yet say other
// values; a tracker must take any.
const left = 16384

// shapes returns every client that requests can look like.
func shapes() []*shape { return append(commonShapes(), rareShapes()...) }

func commonShapes() []*shape {
	const libcurl = "User-Agent: Transmission/4.0.6\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip, br, zstd\r\n"
	return []*shape{
		{
			name: clientAquatic, escapeAll: true, numWant: -1,
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "event", "numwant", "compact=1"},
		},
		{
			name: "libtorrent", weight: 55, raw: "-_!.~*()", numWant: 200, peerID: "-qB5000-", close: true,
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "corrupt=0", "key", "event",
				"numwant", "compact=1", "no_peer_id=1", "supportcrypto=1", "redundant=0",
			},
			header: "User-Agent: qBittorrent/5.0.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n",
		},
		{
			name: "transmission", weight: 15, raw: "-_.~", upperHex: true, numWant: 80, peerID: "-TR4060-",
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "numwant", "key", "compact=1",
				"supportcrypto=1", "event",
			},
			header: libcurl,
		},
		{
			name: "rtorrent", weight: 3, raw: "-", upperHex: true, numWant: -1, peerID: "-lt0E00-",
			params: []string{"info_hash", "peer_id", "compact=1", "key", "port", "uploaded=0", "downloaded=0", "left", "event"},
			header: "User-Agent: rtorrent/0.16.0\r\nAccept: */*\r\nAccept-Encoding: deflate, gzip\r\n",
		},
		{
			name: "aria2", weight: 3, raw: "-._~", upperHex: true, numWant: 50, keyFmt: keyAlnum, peerID: "A2-1-37-0-",
			params: []string{
				"info_hash", "peer_id", "uploaded=0", "downloaded=0", "left", "compact=1", "key", "numwant", "no_peer_id=1",
				"port", "event", "supportcrypto=1",
			},
			header: "User-Agent: aria2/1.37.0\r\nAccept: */*\r\nWant-Digest: SHA-512;q=1, SHA-256;q=1, SHA;q=0.1\r\n",
		},
		{
			name: "biglybt", weight: 4, raw: "-_.*", upperHex: true, numWant: 60, keyFmt: keyAlnum, peerID: "-BI3800-", close: true,
			params: []string{
				"info_hash", "peer_id", "supportcrypto=1", "port", "azudp=6881", "uploaded=0", "downloaded=0", "left",
				"corrupt=0", "event", "numwant", "no_peer_id=1", "compact=1", "key", "azver=3",
			},
			header: "User-Agent: BiglyBT/3.8.0.0\r\nConnection: close\r\nAccept-Encoding: gzip\r\nAccept: text/html, image/gif, image/jpeg, */*; q=0.2\r\n",
		},
		{
			name: "utorrent", weight: 14, raw: "-", numWant: 200, peerID: "-UT3560-", close: true,
			params: []string{
				"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "corrupt=0", "key", "event",
				"numwant", "compact=1", "no_peer_id=1",
			},
			header: "User-Agent: uTorrent/3560(45988)\r\nAccept-Encoding: gzip\r\nConnection: Close\r\n",
		},
	}
}

func rareShapes() []*shape {
	return []*shape{
		{
			name: "webtorrent", weight: 2, raw: "-_.", upperHex: true, numWant: 50, peerID: "-WW0208-",
			params: []string{"numwant", "uploaded=0", "downloaded=0", "left", "event", "compact=1", "info_hash", "peer_id", "port"},
			header: "Connection: keep-alive\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\nUser-Agent: WebTorrent/2.8.0\r\n",
		},
		{
			name: "anacrolix", weight: 2, raw: "-_.~", upperHex: true, numWant: -1, keyFmt: keyDecimal, peerID: "-GT0003-", close: true,
			params: []string{"compact=1", "downloaded=0", "event", "info_hash", "key", "left", "peer_id", "port", "supportcrypto=1", "uploaded=0"},
			header: "User-Agent: Go-http-client/1.1\r\nConnection: close\r\nAccept-Encoding: gzip\r\n",
		},
		{
			name: "lftp", weight: 1, raw: "!$()*,-./:=@_~", upperHex: true, numWant: 50, peerID: "-lftp49-",
			params: []string{"info_hash", "peer_id", "port", "uploaded=0", "downloaded=0", "left", "compact=1", "no_peer_id=1", "event", "numwant", "key"},
			header: "User-Agent: lftp/4.9.2\r\nAccept: */*\r\n",
		},
		{
			name: "ctorrent", weight: 1, raw: "", upperHex: true, numWant: 100, keyFmt: keyAlnum, peerID: "-CD0303-", http10: true, close: true, noHost: true,
			params: []string{"info_hash", "peer_id", "port", "key", "event", "uploaded=0", "downloaded=0", "left", "compact=1", "numwant"},
			header: "User-Agent: Enhanced-CTorrent/dnh3.3.2\r\n",
		},
	}
}

// ClientNames returns the values that MixConfig.Client takes.
func ClientNames() []string {
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

// eventNames are the values of the event parameter.
func eventName(e bittorrent.Event) string {
	switch e {
	case bittorrent.EventStarted:
		return "started"
	case bittorrent.EventStopped:
		return "stopped"
	case bittorrent.EventCompleted:
		return "completed"
	case bittorrent.EventPaused:
		return "paused"
	default:
		return ""
	}
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
				dst = strconv.AppendUint(dst, left, 10)
			}
		case "event":
			if name := eventName(a.event); name != "" {
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
		for i := 28; i >= 0; i -= 4 {
			dst = append(dst, upperDigits[key>>i&15])
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
		if !s.escapeAll && (isAlnum(c) || indexByte(s.raw, c)) {
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

func indexByte(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

// newPeerID returns a peer id as the client would make it.
func (s *shape) newPeerID(rng *rand.Rand) (id [20]byte) {
	n := copy(id[:], s.peerID)
	for i := n; i < len(id); i++ {
		id[i] = byte(rng.Uint32())
	}
	return id
}
