package httpwire

import (
	"slices"
	"strings"
	"testing"

	"spate/internal/bittorrent"
)

func TestParseScrape(t *testing.T) {
	// param is an info_hash parameter of one letter, 20 times.
	param := func(letters string) string {
		var b strings.Builder
		for _, c := range letters {
			b.WriteString("info_hash=" + strings.Repeat(string(c), 20) + "&")
		}
		return b.String()
	}
	for _, tc := range []struct {
		name, query string
		max         int
		want        string // first letters of the hashes
		failure     bittorrent.Failure
	}{
		{name: "one", query: param("a"), max: 5, want: "a"},
		{name: "several come back sorted", query: param("cab"), max: 5, want: "abc"},
		{name: "duplicates count once", query: param("bababb"), max: 5, want: "ab"},
		{name: "first N", query: param("dcba"), max: 2, want: "cd"},
		{name: "first N different", query: param("ddcb"), max: 2, want: "cd"},
		{name: "no further than the first N", query: param("dc") + "info_hash=x", max: 2, want: "cd"},
		{name: "v2 hash truncated", query: "info_hash=" + strings.Repeat("a", 32), max: 5, want: "a"},
		{name: "unknown parameters are ignored", query: "x=%&" + param("a") + "peer_id=x&port=x", max: 5, want: "a"},
		{name: "empty query", max: 5, failure: bittorrent.FailureScrapeEmpty},
		{name: "no info_hash", query: "a=b&info_hash", max: 5, failure: bittorrent.FailureScrapeEmpty},
		{name: "wrong length", query: param("a") + "info_hash=x", max: 5, failure: bittorrent.FailureInfoHashLength},
		{name: "hex digits", query: "info_hash=" + strings.Repeat("a", 40), max: 5, failure: bittorrent.FailureInfoHashHex},
		{name: "bad escape", query: "info_hash=%a", max: 5, failure: bittorrent.FailureInfoHashEscape},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := bittorrent.ScrapeRequest{InfoHashes: make([]bittorrent.InfoHash, 3)}
			if got := ParseScrape([]byte(tc.query), tc.max, &r); got != tc.failure {
				t.Fatalf("ParseScrape = %s, want %s", got.Label(), tc.failure.Label())
			}
			var got []byte
			for _, h := range r.InfoHashes {
				got = append(got, h[0])
			}
			if string(got) != tc.want {
				t.Errorf("the hashes begin with %q, want %q", got, tc.want)
			}
		})
	}
}

func TestParseScrapeSortsAsManyAsAHeadHolds(t *testing.T) {
	var query []byte
	seen := map[bittorrent.InfoHash]bool{}
	for i := range 260 {
		h := bittorrent.InfoHash{byte(i * 73), byte(i % 50)}
		h[19] = byte(i)
		seen[h] = true
		query = append(append(query, "info_hash="...), "%00"...) // 19 raw bytes follow
		h[0] = 0
		for _, c := range h[1:] {
			query = append(query, '%', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		query = append(query, '&')
	}
	var r bittorrent.ScrapeRequest
	if f := ParseScrape(query, 1000, &r); f != bittorrent.FailureNone {
		t.Fatal(f.Label())
	}
	if !slices.IsSortedFunc(r.InfoHashes, func(a, b bittorrent.InfoHash) int { return slices.Compare(a[:], b[:]) }) {
		t.Error("the hashes are not sorted")
	}
	if want := 256; len(r.InfoHashes) < want-6 {
		t.Errorf("%d hashes, want at least %d", len(r.InfoHashes), want-6)
	}
}
