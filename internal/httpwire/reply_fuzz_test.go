package httpwire

import (
	"bytes"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
)

// announceKeys are the keys that each of our replies has; one with others does
// not come back from its rendering to the byte.
const announceKeys = "|complete|downloaded|incomplete|interval|min interval|peers"

// topKeys returns the keys of a canonical dictionary, each after a |, and the
// decoder's error where it is none.
func topKeys(body []byte) (keys string, err error) {
	d := decoder{src: body}
	var b strings.Builder
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		b.WriteByte('|')
		b.Write(last)
		d.skip(1)
	}
	d.end()
	return b.String(), d.err
}

// FuzzParseAnnounceReply: no reply makes the parser panic; what parses means the
// same after it was rendered again; and a compact reply of our own keys comes
// back to the byte.
func FuzzParseAnnounceReply(f *testing.F) {
	compact := benchReply(3)
	list := compact
	list.Compact, list.Peers6 = false, make([]byte, bittorrent.CompactLen6)
	empty := bittorrent.AnnounceReply{Compact: true, Requester6: true, ExternalIP: netip.IPv6Unspecified()}
	for _, r := range []bittorrent.AnnounceReply{compact, list, empty} {
		f.Add(AppendAnnounceReply(nil, &r))
	}
	f.Add(AppendFailure(nil, bittorrent.FailureUnregistered, time.Hour, time.Minute))
	f.Add([]byte("d8:completei1e10:incompletei2e8:intervali1800e5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti1eee6:peers60:e"))
	f.Add([]byte("d8:intervali01e5:peers0:e"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var r, back bittorrent.AnnounceReply
		if err := ParseAnnounceReply(body, &r); err != nil {
			if !reflect.DeepEqual(r, bittorrent.AnnounceReply{}) {
				t.Fatalf("%v with the reply %+v", err, r)
			}
			return
		}
		keys, err := topKeys(body)
		if err != nil {
			t.Fatalf("parsed, but is not canonical: %v", err)
		}
		again := AppendAnnounceReply(nil, &r)
		keys = strings.Replace(keys, "|external ip", "", 1)
		if r.Compact && (keys == announceKeys || keys == announceKeys+"|peers6") && !bytes.Equal(again, body) {
			t.Fatalf("%q\ncame back as %q", body, again)
		}
		if err := ParseAnnounceReply(again, &back); err != nil {
			t.Fatalf("%q\ncame back as %q: %v", body, again, err)
		}
		// A list has no peers6, and a nil slice means what an empty one does.
		r.Requester6 = r.Requester6 && r.Compact
		if !sameReply(&r, &back) {
			t.Fatalf("%q\ngave %+v\nand %q\ngave %+v", body, r, again, back)
		}
	})
}

// sameReply compares two replies, taking nil slices for empty ones. peers6 that
// is not empty is always sent, whoever asked for it.
func sameReply(a, b *bittorrent.AnnounceReply) bool {
	peers := bytes.Equal(a.Peers, b.Peers) && bytes.Equal(a.Peers6, b.Peers6)
	x, y := *a, *b
	x.Peers, x.Peers6, y.Peers, y.Peers6 = nil, nil, nil, nil
	return peers && reflect.DeepEqual(x, y)
}

// FuzzAppendAnnounceReply: the strict parser takes every reply and reads from
// it what went in.
func FuzzAppendAnnounceReply(f *testing.F) {
	f.Add(uint32(3), uint32(5), uint32(7), int64(1800), int64(900), []byte("aaaabb"), []byte(nil), []byte{1, 2, 3, 4}, true, false)
	f.Add(uint32(1<<31), uint32(0), uint32(1<<32-1), int64(-5), int64(1<<40), []byte(nil), make([]byte, 40), make([]byte, 16), true, true)
	f.Add(uint32(0), uint32(0), uint32(0), int64(0), int64(0), make([]byte, 13), make([]byte, 37), []byte(nil), false, false)
	f.Fuzz(func(t *testing.T, complete, incomplete, downloaded uint32, interval, minInterval int64, peers, peers6, ip []byte, compact, want6 bool) {
		external, _ := netip.AddrFromSlice(ip)
		r := bittorrent.AnnounceReply{
			Complete: complete, Incomplete: incomplete, Downloaded: downloaded,
			Peers:    peers[:len(peers)/bittorrent.CompactLen4*bittorrent.CompactLen4],
			Peers6:   peers6[:len(peers6)/bittorrent.CompactLen6*bittorrent.CompactLen6],
			Interval: time.Duration(interval), MinInterval: time.Duration(minInterval),
			ExternalIP: external.Unmap(), Compact: compact, Requester6: want6,
		}
		if !compact {
			unmapPeers(&r)
		}
		body := AppendAnnounceReply([]byte("head"), &r)
		if !bytes.HasPrefix(body, []byte("head")) {
			t.Fatalf("%q does not begin with what was there", body)
		}
		var back bittorrent.AnnounceReply
		if err := ParseAnnounceReply(body[len("head"):], &back); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		r.Complete, r.Incomplete, r.Downloaded = min(complete, maxInt), min(incomplete, maxInt), min(downloaded, maxInt)
		r.Interval, r.MinInterval = clampSeconds(r.Interval), clampSeconds(r.MinInterval)
		r.Requester6 = compact && (want6 || len(r.Peers6) > 0)
		if !sameReply(&r, &back) {
			t.Fatalf("%+v\nbecame %q\nwhich is %+v", r, body, back)
		}
	})
}

// unmapPeers makes every IPv4-mapped peer of r another IPv6 one: a list says
// them as text, in which they are IPv4.
func unmapPeers(r *bittorrent.AnnounceReply) {
	r.Peers6 = bytes.Clone(r.Peers6)
	for i := 0; i < len(r.Peers6); i += bittorrent.CompactLen6 {
		r.Peers6[i] |= 0x20
	}
}

func clampSeconds(d time.Duration) time.Duration {
	return min(max(d.Truncate(time.Second), 0), maxInt*time.Second)
}

// FuzzAppendScrapeReply: the strict parser takes every reply and reads from it
// what went in. hashes is cut into hashes, 20 bytes each.
func FuzzAppendScrapeReply(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 20)+strings.Repeat("b", 20)), uint32(1), int64(900))
	f.Add([]byte(nil), uint32(0), int64(-1))
	f.Add(testHash[:], uint32(1<<31), int64(1<<62))
	f.Fuzz(func(t *testing.T, hashes []byte, count uint32, interval int64) {
		var sorted []bittorrent.InfoHash
		for ; len(hashes) >= bittorrent.InfoHashLen; hashes = hashes[bittorrent.InfoHashLen:] {
			h := bittorrent.InfoHash(hashes)
			sorted = insertSorted(sorted, &h)
		}
		var entries []bittorrent.ScrapeEntry
		for i, h := range sorted {
			n := (count + uint32(i)) % (maxInt + 1)
			entries = append(entries, bittorrent.ScrapeEntry{InfoHash: h, Complete: n, Incomplete: n / 2, Downloaders: n / 3, Downloaded: n / 5})
		}
		body := AppendScrapeReply(nil, entries, time.Duration(interval))
		back, err := ParseScrapeReply(body, nil)
		if err != nil || !reflect.DeepEqual(back, entries) {
			t.Fatalf("%v\nbecame %q\nwhich is %v, %v", entries, body, back, err)
		}
		if keys, err := topKeys(body); err != nil || keys != "|files|flags" {
			t.Fatalf("%q has the keys %s, %v", body, keys, err)
		}
	})
}

// FuzzParseScrapeReply: no reply makes the parser panic, and what parses means
// the same after it was rendered again.
func FuzzParseScrapeReply(f *testing.F) {
	f.Add(AppendScrapeReply(nil, []bittorrent.ScrapeEntry{{}, {InfoHash: testHash, Complete: 5}}, time.Hour))
	f.Add(AppendFailure(nil, bittorrent.FailureScrapeEmpty, time.Hour, time.Minute))
	f.Add([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei2e4:name1:xeee"))
	f.Add([]byte("d5:filesde5:flagsd20:min_request_intervali-9eee"))
	f.Fuzz(func(t *testing.T, body []byte) {
		entries, err := ParseScrapeReply(body, nil)
		if err != nil {
			if entries != nil {
				t.Fatalf("%v with %d entries", err, len(entries))
			}
			return
		}
		again := AppendScrapeReply(nil, entries, 0)
		back, err := ParseScrapeReply(again, nil)
		if err != nil || !reflect.DeepEqual(back, entries) {
			t.Fatalf("%q\ngave %v\nand %q\ngave %v, %v", body, entries, again, back, err)
		}
		if len(entries)*len("20:aaaaaaaaaaaaaaaaaaaad8:completei0e10:incompletei0ee") > len(body) {
			t.Fatalf("%d entries in %d bytes", len(entries), len(body))
		}
	})
}

// FuzzClaimedAddr holds what clients claim against the standard library's parser.
func FuzzClaimedAddr(f *testing.F) {
	for _, s := range []string{
		"1.2.3.4", "::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "::ffff:1.2.3.4",
		"1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::2::3", "1:2:3:4:5:6:7:8:9", "12345::", "1.2.3", "01.2.3.4", "256.1.1.1",
		"1.2.3.4.5", ":::", "1:", ":1", "fe80::1%eth0", "fe80::1%", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4%x", "",
		"::00001", "::1.2.3.04", "1:2:3:4:5:6:7:8::", "::ffff:1.2.3.4%x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, _ := netip.ParseAddr(s)
		want = want.WithZone("").Unmap()
		if got := claimedAddr([]byte("[" + s + "]:6881")); len(s) < maxValue-7 && !strings.ContainsAny(s, "%+]") && got != want && want.Is6() {
			t.Fatalf("[%q]:6881 gave %v, want %v", s, got, want)
		}
	})
}
