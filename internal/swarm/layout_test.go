package swarm

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"spate/internal/bittorrent"
)

// TestMarksHaveWords: list.renew changes the four bytes that a mark lies in, so they
// hold marks only, or nothing.
func TestMarksHaveWords(t *testing.T) {
	for i, c := range classes {
		for f, width := range [2]uint32{bittorrent.CompactLen4, bittorrent.CompactLen6} {
			from := blockMarks(width, c.peers[f])
			to := from + markSize*c.peers[f]
			if from%4 != 0 || from < blockHeadSize+width*c.peers[f] || to > c.size || c.size%4 != 0 {
				t.Errorf("class %d, %d bytes: the marks of %d peers of %d bytes are at %d to %d", i, c.size, c.peers[f], width, from, to)
			}
		}
	}
	for f, width := range [2]uint32{bittorrent.CompactLen4, bittorrent.CompactLen6} {
		peers := segmentSize(f == 1)
		if from := peers * width; from%4 != 0 || from+peers*markSize > pageSize {
			t.Errorf("a page's marks of %d peers of %d bytes are at %d", peers, width, from)
		}
	}
	// The area of a small record: marks lie behind the peers of either way to use it.
	if inline4, mixed := inlineMark4-markSize*(inlineMax4-1), inlineMark6+0; inline4%4 != 0 || inline4 < inlineMax4*bittorrent.CompactLen4 ||
		mixed%4 != 0 || mixed < inlineWire6+bittorrent.CompactLen6 {
		t.Errorf("a small record's marks are at %d and %d", inline4, mixed)
	}
}

// TestRenewNeighbours has two callers renew neighbours over and over: their marks lie in
// one word, and neither may write the other's former one.
func TestRenewNeighbours(t *testing.T) {
	var l list
	var word uint32
	l.form, l.buf, l.markStep = formBlock, (*[4]byte)(unsafe.Pointer(&word))[:], markSize
	var wg sync.WaitGroup
	for at := range uint32(2) {
		wg.Go(func() {
			for i := range uint32(500_000) {
				mark := uint16(i & markTicks)
				l.renew(at, mark)
				var b [4]byte
				binary.NativeEndian.PutUint32(b[:], atomic.LoadUint32(&word))
				if got := binary.NativeEndian.Uint16(b[at*markSize:]); got != mark {
					t.Errorf("position %d has mark %d, was given %d", at, got, mark)
					return
				}
			}
		})
	}
	wg.Wait()
}
