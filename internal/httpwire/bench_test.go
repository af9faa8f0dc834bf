package httpwire

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"spate/internal/bittorrent"
)

// benchQueries are announces of libtorrent with different hashes and peer ids:
// with a single one the processor learns where the escapes are.
func benchQueries() [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	queries := make([][]byte, 1024)
	for i := range queries {
		r := bittorrent.AnnounceRequest{Port: uint16(rng.Uint32()), NumWant: 200, Compact: true, Event: bittorrent.Event(rng.IntN(3))}
		peerID := [20]byte([]byte("-LT2110-............"))
		for j := range r.InfoHash {
			r.InfoHash[j] = byte(rng.Uint32())
		}
		for j := range peerID[8:] {
			peerID[8+j] = byte(rng.Uint32())
		}
		queries[i] = appendAnnounceQuery(nil, &r, &peerID)
	}
	return queries
}

// benchReply returns a reply with as many IPv4 peers.
func benchReply(peers int) bittorrent.AnnounceReply {
	return bittorrent.AnnounceReply{
		Complete: 1234, Incomplete: 567, Downloaded: 89012,
		Peers:    make([]byte, peers*bittorrent.CompactLen4),
		Interval: 1873 * time.Second, MinInterval: 900 * time.Second,
		ExternalIP: netip.MustParseAddr("192.0.2.1"), Compact: true,
	}
}

func BenchmarkParseAnnounce(b *testing.B) {
	queries := benchQueries()
	var r bittorrent.AnnounceRequest
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if f := ParseAnnounce(queries[i&(len(queries)-1)], &r); f != bittorrent.FailureNone {
			b.Fatal(f.Label())
		}
		i++
	}
}

func BenchmarkParseScrape(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	hashes := make([]bittorrent.InfoHash, 60) // as many as Transmission asks for
	for i := range hashes {
		for j := range hashes[i] {
			hashes[i][j] = byte(rng.Uint32())
		}
	}
	query := appendScrapeQuery(nil, hashes)
	var r bittorrent.ScrapeRequest
	b.ReportAllocs()
	for b.Loop() {
		if f := ParseScrape(query, 100, &r); f != bittorrent.FailureNone {
			b.Fatal(f.Label())
		}
	}
}

func BenchmarkAppendAnnounceReply(b *testing.B) {
	r := benchReply(50)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendAnnounceReply(dst[:0], &r)
	}
}

func BenchmarkAppendScrapeReply(b *testing.B) {
	entries := make([]bittorrent.ScrapeEntry, 60)
	for i := range entries {
		entries[i] = bittorrent.ScrapeEntry{Complete: 1234, Incomplete: 567, Downloaded: 89012, Downloaders: 321}
	}
	dst := make([]byte, 0, 16384)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendScrapeReply(dst[:0], entries, 900*time.Second)
	}
}

func BenchmarkParseAnnounceReply(b *testing.B) {
	r := benchReply(50)
	body := AppendAnnounceReply(nil, &r)
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseAnnounceReply(body, &r); err != nil {
			b.Fatal(err)
		}
	}
}
