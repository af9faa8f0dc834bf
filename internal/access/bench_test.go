package access

import (
	"crypto/sha1"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"spate/internal/bittorrent"
)

// million is the length of list that the numbers in issue and ADR are for.
const million = 1_000_000

// sha returns the i-th of hashes that look like real ones.
func sha(i int) bittorrent.InfoHash {
	return sha1.Sum(binary.LittleEndian.AppendUint64(nil, uint64(i)))
}

// bigList writes a list of a million hashes.
func bigList(b *testing.B) string {
	b.Helper()
	var content []byte
	for i := range million {
		content = append(append(content, sha(i).String()...), '\n')
	}
	path := filepath.Join(b.TempDir(), "list")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkLoadFile(b *testing.B) {
	path := bigList(b)
	l := New(ModeAllow)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.LoadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(l.set.Load().bytes())/million, "bytes/hash")
}

// BenchmarkAllows looks up hashes all over a list of a million, so that none
// is in a cache because of the look-up before.
func BenchmarkAllows(b *testing.B) {
	path := bigList(b)
	l := New(ModeDeny)
	if _, err := l.LoadFile(path); err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name  string
		first int
	}{{"listed", 0}, {"unlisted", million}} {
		b.Run(bench.name, func(b *testing.B) {
			asked := make([]bittorrent.InfoHash, 1<<16)
			for i := range asked {
				asked[i] = sha(bench.first + i*15)
			}
			b.ReportAllocs()
			i, allowed := 0, 0
			for b.Loop() {
				if l.Allows(&asked[i&(len(asked)-1)]) {
					allowed++
				}
				i++
			}
			if (allowed > 0) != (bench.first > 0) {
				b.Errorf("%d of %d were allowed", allowed, i)
			}
		})
	}
}

// bytes returns how much memory the set holds.
func (s *set) bytes() int {
	return bittorrent.InfoHashLen*cap(s.hashes) + 4*cap(s.tags)
}
