package metrics

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const line = "4242 (a ) b) S 1 4242 4242 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 9 0 12345 1048576 256 18446744073709551615 1 1"
	s, ok := parseStat([]byte(line))
	want := processStat{cpu: 2 * time.Second, sinceBoot: 123450 * time.Millisecond, virtual: 1 << 20, rssPages: 256}
	if !ok || s != want {
		t.Errorf("parsed %+v, %v, want %+v", s, ok, want)
	}
	for _, bad := range []string{"", "1 (x) S 1", "4242 (x) S 1 4242 4242 0 -1 4194560 1 2 3 4 x 50 0 0 20 0 9 0 12345 1048576 256 1"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q was parsed", bad)
		}
	}
}
