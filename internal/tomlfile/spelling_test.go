package tomlfile

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"off", "error", "warn", "max_peers", "max_peer_age"}
	for _, tc := range []struct{ word, want string }{
		{"max_peers", "max_peers"},
		{"max_peer", "max_peers"},
		{"MAX_PEERS", "max_peers"},
		{"maxpeerage", "max_peer_age"},
		{"of", "off"},
		{"wran", ""}, // two letters of four
		{"eror", "error"},
		{"listeners", ""},
		{"", ""},
	} {
		if got := nearest(tc.word, words); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.word, got, tc.want)
		}
	}
	if got := nearest("a", []string{"b", "c"}); got != "b" {
		t.Errorf("of two as near the first counts, not %q", got)
	}
}
