package httpwire

import (
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
)

// TestNoAllocations covers every function of the package on its usual way and
// on its ways out, with buffers that are large enough.
func TestNoAllocations(t *testing.T) {
	good := []byte(goodQuery + "&event=STARTED&numwant=%350&compact=0&ip=1.2.3.4&ipv4=1.2.3.4:5&ipv6=[2001:db8::1%25eth0]:5")
	long := []byte("info_hash=" + strings.Repeat("0", 64) + "&port=1&ip=" + strings.Repeat("%31", 100))
	bad := []byte(hashQuery + "&peer_id=%zz&port=-1&ip=None&ipv6=:::&left=%30%30&event=%&numwant=99999999999999")
	scrape := appendScrapeQuery(nil, []bittorrent.InfoHash{{3}, {1}, {2}, {1}})
	path := []byte("//announce.php/")

	compact := benchReply(200)
	compact.Requester6 = true
	list := compact
	list.Compact = false
	list.Peers6 = make([]byte, 20*bittorrent.CompactLen6)
	compactBody, listBody := AppendAnnounceReply(nil, &compact), AppendAnnounceReply(nil, &list)
	entries := []bittorrent.ScrapeEntry{{}, {InfoHash: testHash, Complete: 1 << 31}}
	scrapeBody := AppendScrapeReply(nil, entries, time.Hour)
	failureBody := AppendFailure(nil, bittorrent.FailureUnregistered, time.Hour, time.Hour)

	dst := make([]byte, 0, 64<<10)
	var request bittorrent.AnnounceRequest
	var hashes bittorrent.ScrapeRequest
	reply := bittorrent.AnnounceReply{Peers: make([]byte, 0, 8192), Peers6: make([]byte, 0, 8192)}
	parsed := make([]bittorrent.ScrapeEntry, 0, 8)
	for name, f := range map[string]func(){
		"ParsePath":                      func() { ParsePath(path) },
		"ParseAnnounce":                  func() { ParseAnnounce(good, &request) },
		"ParseAnnounce, hex":             func() { ParseAnnounce(long, &request) },
		"ParseAnnounce, garbage":         func() { ParseAnnounce(bad, &request) },
		"ParseScrape":                    func() { ParseScrape(scrape, 100, &hashes) },
		"ParseScrape, hex":               func() { ParseScrape(long, 100, &hashes) },
		"AppendAnnounceReply":            func() { AppendAnnounceReply(dst, &compact) },
		"AppendAnnounceReply, a list":    func() { AppendAnnounceReply(dst, &list) },
		"AppendScrapeReply":              func() { AppendScrapeReply(dst, entries, time.Hour) },
		"AppendFailure":                  func() { AppendFailure(dst, bittorrent.FailureUnregistered, time.Hour, time.Hour) },
		"AppendFailure, one that passes": func() { AppendFailure(dst, bittorrent.FailureRate, time.Hour, time.Hour) },
		"ParseAnnounceReply":             func() { _ = ParseAnnounceReply(compactBody, &reply) },
		"ParseAnnounceReply, a list":     func() { _ = ParseAnnounceReply(listBody, &reply) },
		"ParseAnnounceReply, a failure":  func() { _ = ParseAnnounceReply(failureBody, &reply) },
		"ParseScrapeReply":               func() { parsed, _ = ParseScrapeReply(scrapeBody, parsed[:0]) },
		"ParseScrapeReply, a failure":    func() { parsed, _ = ParseScrapeReply(failureBody, parsed[:0]) },
		"FailureReason":                  func() { FailureReason(failureBody) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
