package load

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/http1"
	"spate/internal/httpwire"
)

// Every client's announce has to be readable, and mean what was meant.
func TestEachClientsRequestsParse(t *testing.T) {
	for _, name := range clientNames() {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.Mix.Client = name
			cfg.Torrents.WeightScrape = 2
			cfg.Mix.NonCompact = 0.1
			src := newSource(&cfg, torrentsOf(50, usualSeed), 0)
			var r request
			for range 500 {
				src.next(&r, 0, netip.MustParseAddr("127.0.0.1"))
				checkRequest(t, src, &r)
			}
		})
	}
}

func checkRequest(t *testing.T, src *source, r *request) {
	t.Helper()
	var h http1.Head
	n, err := http1.ParseHead(r.head, &h)
	if err != nil || n != len(r.head)-len(r.shape.trailer) {
		t.Fatalf("head %q: %d of %d bytes, %v", r.head, n, len(r.head), err)
	}
	if r.kind == KindScrape {
		var s bittorrent.ScrapeRequest
		if f := httpwire.ParseScrape(h.Query, maxScrapeHashes, &s); f != bittorrent.FailureNone {
			t.Fatalf("scrape %q: %v", h.Query, f.Reason())
		}
		return
	}
	var a bittorrent.AnnounceRequest
	if f := httpwire.ParseAnnounce(h.Query, &a); f != bittorrent.FailureNone {
		t.Fatalf("announce %q: %v", h.Query, f.Reason())
	}
	if a.InfoHash != src.hashes[r.torrent] || a.Port != r.a.port || a.Seeder != r.a.seeder ||
		a.Event != r.a.event || a.NumWant != r.a.numWant || a.Compact == r.a.nonCompact {
		t.Fatalf("announce %q means %+v, was %+v", h.Query, a, r.a)
	}
}

func TestMalformedRequestsAreMalformed(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Mix.Client = clientMixed
	cfg.Mix.Malformed = 1
	src := newSource(&cfg, torrentsOf(50, usualSeed), 0)
	var r request
	for range 500 {
		src.next(&r, 0, netip.MustParseAddr("127.0.0.1"))
		var h http1.Head
		if _, err := http1.ParseHead(r.head, &h); err != nil {
			continue
		}
		var a bittorrent.AnnounceRequest
		if f := httpwire.ParseAnnounce(h.Query, &a); f == bittorrent.FailureNone {
			t.Fatalf("%q is no malformed announce", h.Query)
		}
	}
}

func TestAquaticsRequestIsAquatics(t *testing.T) {
	cfg := DefaultConfig()
	cfg.URLSuffix = "/my_token/"
	src := newSource(&cfg, torrentsOf(1, usualSeed), 0)
	var r request
	src.next(&r, 0, netip.MustParseAddr("127.0.0.1"))
	got := string(r.head)
	if !strings.HasPrefix(got, "GET /announce/my_token/?info_hash=%") ||
		!strings.HasSuffix(got, "&compact=1 HTTP/1.1\r\nHost: localhost\r\n\r\n") ||
		!r.a.seeder && !strings.Contains(got, "&left=50&event=started&") {
		t.Errorf("request is %q", got)
	}
	query := got[strings.Index(got, "?"):strings.Index(got, " HTTP")]
	if n := strings.Count(query, "%"); n != 40 {
		t.Errorf("%d escapes in %q, want 40: every byte of info_hash and peer_id", n, query)
	}
}

func TestLivesFollowTheRules(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Peers.Model = modelLives
	cfg.Peers.Number = 500
	cfg.Addresses = AddressConfig{Source: sourceXFF, Number: 100, IPv6: 0.3}
	src := newSource(&cfg, torrentsOf(20, usualSeed), 0)
	type identity struct {
		torrent int
		addr    netip.AddrPort
	}
	living := map[identity][20]byte{}
	seen := map[bittorrent.Event]int{}
	var r request
	six := 0
	for range 20_000 {
		src.next(&r, -1, netip.Addr{})
		id := identity{r.torrent, netip.AddrPortFrom(r.addr, r.a.port)}
		seen[r.a.event]++
		if r.addr.Is6() {
			six++
		}
		switch r.a.event {
		case bittorrent.EventStarted:
			living[id] = r.a.peerID
		case bittorrent.EventCompleted:
			if !r.a.seeder {
				t.Fatal("completed with something left")
			}
			fallthrough
		default:
			if living[id] != r.a.peerID {
				t.Fatalf("%v by a peer that had not started", r.a.event)
			}
		}
		if r.a.event == bittorrent.EventStopped {
			delete(living, id)
		}
		if !bytes.Contains(r.head, []byte("X-Forwarded-For: "+r.addr.String()+"\r\n")) {
			t.Fatalf("head %q does not tell %v", r.head, r.addr)
		}
		src.people.ended(src, r.peer, r.a.event)
	}
	for _, e := range []bittorrent.Event{bittorrent.EventNone, bittorrent.EventStarted, bittorrent.EventStopped, bittorrent.EventCompleted} {
		if seen[e] == 0 {
			t.Errorf("no announce with event %q", e.String())
		}
	}
	if six < 4000 || six > 8000 {
		t.Errorf("%d of 20000 announces by IPv6 peers, want some 6000", six)
	}
}
