package swarm

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"spate/internal/bittorrent"
)

// renewTries is how many peers renew takes for the announcing one at most. All of one
// source look alike in the index, and a source may have hundreds.
const renewTries = 4

// A caller whose last missedMany announces were no renewals is asked by strangers, or is
// under attack, and tries one in missedTry only.
const missedMany, missedTry = 8, 16

// renew applies an announce without an event of a peer that is in the store as it says
// it is, so that nothing changes but when it was last heard of. One lane is enough for
// it, which the visit keeps. It reports false where that is not so; then it has changed
// nothing.
func (v *visit) renew() bool {
	r := v.r
	if v.a.Event != bittorrent.EventNone {
		return false
	}
	if r.Missed++; r.Missed > missedMany && r.Missed%missedTry != 0 {
		return false
	}
	v.lane = v.sh.enter(v.r)
	v.find()
	if v.torrent == nil || v.tick > v.sh.now {
		return false
	}
	own := &v.own
	if own.size >= prefetchFrom {
		if !v.renewBig() {
			return false
		}
	} else {
		at, found := own.findWithin(&v.k, v.peerHash, renewTries)
		if !found || !own.renew(at, v.sh.newMark(v.a)) {
			return false
		}
		v.answer(at, &v.lane.rng)
	}
	r.Missed = 0
	return true
}

// renewBig is renew for a peer that is in main memory. It is looked at last, so that the
// reply is made while the processor fetches it.
func (v *visit) renewBig() bool {
	own, rng := &v.own, &v.lane.rng
	own.prefetch(v.a, v.peerHash, rng)
	at, found := guess(own.indexSlots(v.peerHash), v.peerHash)
	if !found {
		return false
	}
	own.prefetchPeer(at)
	v.answer(at, rng)
	if keyAt(own.wire(at), own.six) == v.k && own.renew(at, v.sh.newMark(v.a)) {
		return true
	}
	v.r.Peers, v.r.Peers6 = v.r.Peers[:0], v.r.Peers6[:0]
	return false
}

// highFirst is where a word's first two bytes are: 0 where they are its low ones, else 2.
var highFirst = 2 * uintptr(binary.NativeEndian.Uint16([]byte{0, 1})&1)

// renew sets the tick of the peer at a position, where the mark says otherwise what it
// did. Others may do so at the same time. The processor has no such instruction for two
// bytes in Go, so it is done to the four that they lie in, which are all of marks.
func (l *list) renew(at uint32, mark uint16) bool {
	p := unsafe.Pointer(&l.markBytes(at)[0])
	odd := uintptr(p) % 4
	word := (*uint32)(unsafe.Add(p, -int(odd)))
	shift := 8 * (odd ^ highFirst) % 32
	for {
		old := atomic.LoadUint32(word)
		was := uint16(old >> shift)
		if (was^mark)&(markSeeder|markPaused) != 0 {
			return false
		}
		renewed := old&^(0xffff<<shift) | uint32(mark|was&markCompleted)<<shift
		if renewed == old || atomic.CompareAndSwapUint32(word, old, renewed) {
			return true
		}
	}
}
