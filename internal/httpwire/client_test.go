package httpwire

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
)

// testPeerID is a peer id with bytes that need escapes.
var testPeerID = [20]byte([]byte("-LT2110-\x00 %&=+\xff~abc\xab"))

func TestAppendAnnounceQuery(t *testing.T) {
	r := bittorrent.AnnounceRequest{
		InfoHash: testHash, Port: 6881, Event: bittorrent.EventStarted, NumWant: 200, Compact: true,
		IP: netip.MustParseAddr("1.2.3.4"), IPv4: netip.MustParseAddr("5.6.7.8"), IPv6: netip.MustParseAddr("2001:db8::1"),
	}
	want := hashQuery + "&peer_id=-LT2110-%00%20%25%26%3d%2b%ff~abc%ab&port=6881&uploaded=0&downloaded=0&left=16384" +
		"&corrupt=0&key=616263AB&event=started&numwant=200&compact=1&no_peer_id=1&supportcrypto=1&redundant=0" +
		"&ip=1.2.3.4&ipv4=5.6.7.8&ipv6=2001:db8::1"
	got := string(appendAnnounceQuery([]byte("/announce?"), &r, &testPeerID))
	if want = "/announce?" + want; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, r := range []bittorrent.AnnounceRequest{
		r,
		{InfoHash: testHash, NumWant: bittorrent.NumWantUnset, Seeder: true},
		{InfoHash: testHash, Port: 65535, Event: bittorrent.EventPaused, Compact: true},
	} {
		if back := mustParse(t, string(appendAnnounceQuery(nil, &r, &testPeerID))); back != r {
			t.Errorf("parsing the query gave %+v, want %+v", back, r)
		}
	}
}

func TestAppendScrapeQuery(t *testing.T) {
	hashes := []bittorrent.InfoHash{{1}, {2}, testHash}
	hashes[2][0] = 3
	query := appendScrapeQuery(nil, hashes)
	var r bittorrent.ScrapeRequest
	if f := ParseScrape(query, 3, &r); f != bittorrent.FailureNone {
		t.Fatalf("ParseScrape(%q): %s", query, f.Label())
	}
	if !reflect.DeepEqual(r.InfoHashes, hashes) {
		t.Errorf("parsing the query gave %v, want %v", r.InfoHashes, hashes)
	}
}

func TestParseAnnounceReply(t *testing.T) {
	full := bittorrent.AnnounceReply{
		Complete: 3, Incomplete: 5, Downloaded: 7,
		Peers:    []byte{1, 2, 3, 4, 0x1a, 0xe1, 5, 6, 7, 8, 0, 80},
		Peers6:   []byte("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1"),
		Interval: 30 * time.Minute, MinInterval: 15 * time.Minute,
		ExternalIP: netip.MustParseAddr("9.8.7.6"), Compact: true, Requester6: true,
	}
	list := full
	list.Compact, list.Requester6 = false, false
	for _, want := range []bittorrent.AnnounceReply{full, list} {
		body := AppendAnnounceReply(nil, &want)
		got := bittorrent.AnnounceReply{Peers: []byte("old"), Peers6: []byte("old"), Downloaded: 99}
		if err := ParseAnnounceReply(body, &got); err != nil {
			t.Errorf("%q: %v", body, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%q gave %+v, want %+v", body, got, want)
		}
	}
	// Other trackers' replies: keys of theirs, and some of ours missing.
	var r bittorrent.AnnounceReply
	for _, body := range []string{
		"d8:completei1e10:incompletei2e8:intervali1800e5:peers0:e",
		"d8:intervali1800e6:peers618:aaaaaaaaaaaaaaaabbe",
		"d8:intervali0e5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti1eeee",
		"d8:intervali0e5:peers0:10:tracker id3:abc15:warning message0:e",
		"d1:a" + strings.Repeat("l", 10) + strings.Repeat("e", 10) + "8:intervali0e5:peers0:e",
		"d1:ai-5e1:bld1:ci123456789012345678901234567890eee8:intervali0e5:peers0:e",
	} {
		if err := ParseAnnounceReply([]byte(body), &r); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestParseAnnounceReplyErrors(t *testing.T) {
	const good = "d8:completei1e8:intervali1800e5:peers6:aaaabbe"
	for i := range len(good) {
		var r bittorrent.AnnounceReply
		if err := ParseAnnounceReply([]byte(good[:i]), &r); !errors.Is(err, ErrBencode) {
			t.Errorf("%q, cut short: %v, want ErrBencode", good[:i], err)
		}
	}
	for _, tc := range []struct {
		name, body string
		want       error
	}{
		{"trailing newline", good + "\n", ErrBencode},
		{"two values", good + good, ErrBencode},
		{"a list", "le", ErrBencode},
		{"keys out of order", "d8:intervali1800e8:completei1e5:peers0:e", ErrBencode},
		{"a key twice", "d8:intervali1800e8:intervali1800e5:peers0:e", ErrBencode},
		{"an integer as key", "di1ei2e8:intervali1800e5:peers0:e", ErrBencode},
		{"integer with a leading zero", "d8:intervali01e5:peers0:e", ErrBencode},
		{"integer without digits", "d8:intervalie5:peers0:e", ErrBencode},
		{"integer below 0", "d8:intervali-1e5:peers0:e", ErrBencode},
		{"integer of 32 bits", "d8:intervali2147483648e5:peers0:e", ErrBencode},
		{"unknown integer -0", "d1:ai-0e8:intervali1e5:peers0:e", ErrBencode},
		{"unknown integer -", "d1:ai-e8:intervali1e5:peers0:e", ErrBencode},
		{"string length with a leading zero", "d8:intervali1e5:peers00:e", ErrBencode},
		{"string longer than the reply", "d8:intervali1e5:peers6:aaaab", ErrBencode},
		{"string length beyond 64 bits", "d8:intervali1e5:peers99999999999999999999:e", ErrBencode},
		{"nesting without end", "d1:a" + strings.Repeat("l", 5000), ErrBencode},
		{"nesting of 100", "d1:a" + strings.Repeat("l", 100) + strings.Repeat("e", 100) + "8:intervali1e5:peers0:e", ErrBencode},
		{"interval as a string", "d8:interval4:18005:peers0:e", ErrBencode},
		{"peers as an integer", "d8:intervali1e5:peersi0ee", ErrBencode},
		{"peers not of 6", "d8:intervali1e5:peers5:aaaabe", ErrReply},
		{"peers6 not of 18", "d8:intervali1e6:peers66:aaaabbe", ErrReply},
		{"peers6 as a list", "d8:intervali1e6:peers6lee", ErrBencode},
		{"peer without port", "d8:intervali1e5:peersld2:ip7:1.2.3.4eee", ErrReply},
		{"peer without ip", "d8:intervali1e5:peersld4:porti1eeee", ErrReply},
		{"peer with a host name", "d8:intervali1e5:peersld2:ip7:a.b.c.d4:porti1eeee", ErrReply},
		{"peer with port 65536", "d8:intervali1e5:peersld2:ip7:1.2.3.44:porti65536eeee", ErrBencode},
		{"peer with its keys out of order", "d8:intervali1e5:peersld4:porti1e2:ip7:1.2.3.4eee", ErrBencode},
		{"external ip of 5 bytes", "d11:external ip5:aaaaa8:intervali1e5:peers0:e", ErrReply},
		{"external ip IPv4-mapped", "d11:external ip16:\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x048:intervali1e5:peers0:e", ErrReply},
		{"no interval", "d5:peers0:e", ErrReply},
		{"no peers", "d8:intervali1ee", ErrReply},
		{"a refusal", "d14:failure reason1:xe", ErrFailure},
		{"a refusal of ours", string(AppendFailure(nil, bittorrent.FailureUnregistered, 1, 1)), ErrFailure},
		{"a refusal without a reason", "d14:failure reason0:e", ErrReply},
		{"a refusal with trailing bytes", "d14:failure reason1:xe\n", ErrBencode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bittorrent.AnnounceReply{Complete: 1, Peers: make([]byte, 6, 600)}
			err := ParseAnnounceReply([]byte(tc.body), &r)
			if !errors.Is(err, tc.want) {
				t.Errorf("the error is %v, want one that wraps %v", err, tc.want)
			}
			if cap(r.Peers) != 600 || len(r.Peers) != 0 {
				t.Errorf("peers has length %d and capacity %d, want 0 and 600", len(r.Peers), cap(r.Peers))
			}
			if r.Peers, r.Peers6 = nil, nil; !reflect.DeepEqual(r, bittorrent.AnnounceReply{}) {
				t.Errorf("the reply is %+v after an error, want its zero value", r)
			}
		})
	}
}

func TestFailureReason(t *testing.T) {
	for f := bittorrent.FailureNone + 1; int(f) < bittorrent.FailureCount; f++ {
		reason, ok := FailureReason(AppendFailure(nil, f, time.Hour, time.Minute))
		if !ok || string(reason) != f.Reason() {
			t.Errorf("%s: %q, %t", f.Label(), reason, ok)
		}
	}
	for _, body := range []string{
		"", "d", "de", "d8:intervali1e5:peers0:e", "d14:failure reason0:e",
		"d14:failure reason1:xe ", "d14:failure reasoni1ee",
	} {
		if reason, ok := FailureReason([]byte(body)); ok || reason != nil {
			t.Errorf("%q: %q, %t", body, reason, ok)
		}
	}
}

func TestParseScrapeReply(t *testing.T) {
	a := bittorrent.ScrapeEntry{Complete: 1, Incomplete: 20, Downloaded: 300, Downloaders: 4000}
	z := bittorrent.ScrapeEntry{InfoHash: testHash, Complete: 1<<31 - 1}
	kept := bittorrent.ScrapeEntry{Complete: 42}
	got, err := ParseScrapeReply(AppendScrapeReply(nil, []bittorrent.ScrapeEntry{a, z}, time.Hour), []bittorrent.ScrapeEntry{kept})
	if err != nil || !reflect.DeepEqual(got, []bittorrent.ScrapeEntry{kept, a, z}) {
		t.Errorf("got %v, %v", got, err)
	}
	got, err = ParseScrapeReply([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei2e4:name1:xeee"), nil)
	if err != nil || len(got) != 1 || got[0].Incomplete != 2 {
		t.Errorf("another tracker's reply: %v, %v", got, err)
	}
	for _, tc := range []struct {
		name, body string
		want       error
	}{
		{"empty", "", ErrBencode},
		{"trailing bytes", "d5:filesdee\r\n", ErrBencode},
		{"hashes out of order", "d5:filesd20:bbbbbbbbbbbbbbbbbbbbd8:completei1e10:incompletei1ee20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei1eeee", ErrBencode},
		{"a hash twice", "d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei1ee20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei1eeee", ErrBencode},
		{"a hash of 19 bytes", "d5:filesd19:aaaaaaaaaaaaaaaaaaad8:completei1e10:incompletei1eeee", ErrReply},
		{"no complete", "d5:filesd20:aaaaaaaaaaaaaaaaaaaad10:incompletei1eeee", ErrReply},
		{"no files", "d5:flagsdee", ErrReply},
		{"a refusal", string(AppendFailure(nil, bittorrent.FailureScrapeEmpty, 1, 1)), ErrFailure},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ParseScrapeReply([]byte(tc.body), []bittorrent.ScrapeEntry{kept})
			if !errors.Is(err, tc.want) || len(got) != 1 || got[0] != kept {
				t.Errorf("got %v, %v, want nothing appended and %v", got, err, tc.want)
			}
		})
	}
}
