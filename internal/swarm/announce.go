package swarm

import (
	"encoding/binary"
	"time"

	"spate/internal/bittorrent"
)

// displaceTries is how many peers are looked at for one to displace.
const displaceTries = 8

// Announce applies an announce and fills r's counts and peers; it appends to
// r.Peers[:0] and r.Peers6[:0]. A torrent that cannot be taken in gives
// bittorrent.FailureFull and zeros; else the result is FailureNone. now is time
// since the process started, and need not rise from call to call.
func (s *Store) Announce(now time.Duration, a *bittorrent.Announce, r *bittorrent.AnnounceReply) bittorrent.Failure {
	r.Complete, r.Incomplete, r.Downloaded, r.Peers, r.Peers6 = 0, 0, 0, r.Peers[:0], r.Peers6[:0]
	v := visit{a: a, r: r, k: keyOf(a), tick: s.ticks(now), roomy: s.arena.prepare()}
	v.sh, v.h = s.shard(&a.InfoHash)
	v.peerHash = v.sh.hash(&v.k, a.Addr.Is6())
	defer v.leave()
	if v.renew() {
		return bittorrent.FailureNone
	}
	v.take()
	return v.apply()
}

// A visit is an announce on its way through a shard.
type visit struct {
	sh          *shard
	a           *bittorrent.Announce
	r           *bittorrent.AnnounceReply
	k           peerKey
	h, peerHash uint64 // of the torrent and of the peer
	tick        uint64
	roomy       bool // the arena has headroom

	lane  *lane // the one that it has
	whole bool  // it has all

	rec     uint32
	torrent *record // nil where it is not in the store
	own     list    // of the torrent, the peer's family
}

// take takes all lanes, and sees to it that the torrent was looked up with them.
func (v *visit) take() {
	if v.lane == nil || !v.sh.widen(v.lane) {
		v.leave()
		v.sh.lock()
		v.find()
	}
	v.lane, v.whole = nil, true
	if v.sh.setNow(v.tick) {
		v.find()
	}
}

// leave gives back what lanes there are.
func (v *visit) leave() {
	if v.whole {
		v.sh.unlock()
	} else if v.lane != nil {
		v.lane.mu.Unlock()
	}
}

// find looks the torrent up.
func (v *visit) find() {
	v.rec, v.torrent = v.sh.findRecord(&v.a.InfoHash, v.h)
	if v.torrent != nil {
		v.own.open(v.sh, v.rec, v.torrent, v.a.Addr.Is6())
	}
}

// apply applies the announce, whatever it changes. The caller has all lanes.
func (v *visit) apply() bittorrent.Failure {
	sh := v.sh
	if v.a.Event == bittorrent.EventStopped {
		v.stop()
		return bittorrent.FailureNone
	}
	if v.torrent == nil {
		if !v.roomy || !sh.roomForTorrent() {
			sh.full++
			return bittorrent.FailureFull
		}
		v.rec, v.torrent = sh.addRecord(&v.a.InfoHash, v.h)
		v.torrent.downloaded = sh.recall(&v.a.InfoHash, v.h)
		v.own.open(sh, v.rec, v.torrent, v.a.Addr.Is6())
	}
	own := &v.own
	if own.size >= prefetchFrom {
		own.prefetch(v.a, v.peerHash, sh.rng())
	}
	at, stored := own.apply(&v.k, v.peerHash, v.a, v.roomy)
	own.save()
	if !stored && v.torrent.empty() {
		sh.dropRecord(v.rec, v.torrent, v.h, sh.now)
		sh.full++
		return bittorrent.FailureFull
	}
	if !stored {
		at = noPeer
	}
	v.answer(at, sh.rng())
	return bittorrent.FailureNone
}

// answer fills the reply for the peer at a position of its list. Who stops gets no peers.
func (v *visit) answer(at uint32, rng *random) {
	var other list
	if v.torrent.has(!v.own.six) {
		other.open(v.sh, v.rec, v.torrent, !v.own.six)
	}
	r := v.r
	r.Complete = v.own.complete() + other.complete()
	r.Incomplete = v.own.incomplete() + other.incomplete()
	r.Downloaded = v.torrent.downloaded
	if v.a.NumWant > 0 && v.a.Event != bittorrent.EventStopped {
		sample(&v.own, &other, at, v.a, rng, r)
	}
}

// keyOf returns the announcing peer's key.
func keyOf(a *bittorrent.Announce) peerKey {
	if a.Addr.Is4() {
		b := a.Addr.As4()
		return peerKey{lo: uint64(binary.BigEndian.Uint32(b[:])), port: a.Port}
	}
	b := a.Addr.As16()
	return peerKey{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:]), a.Port}
}

// stop removes the peer, and its torrent where it was the last one.
func (v *visit) stop() {
	sh := v.sh
	if v.torrent == nil {
		if _, m := sh.findMemory(&v.a.InfoHash, v.h); m != nil {
			v.r.Downloaded = m.downloaded
		}
		return
	}
	own := &v.own
	if at, found := own.find(&v.k, v.peerHash); found {
		own.remove(at)
		own.save()
	}
	v.answer(noPeer, sh.rng())
	if v.torrent.empty() {
		sh.dropRecord(v.rec, v.torrent, v.h, sh.now)
	}
}

// dropRecord removes a torrent without peers and remembers its download count,
// as from a tick on.
func (sh *shard) dropRecord(rec uint32, torrent *record, h, tick uint64) {
	sh.remember(&torrent.hash, h, torrent.downloaded, tick)
	sh.removeRecord(rec)
}

// roomForTorrent reports whether one more torrent may come. Under pressure
// remembered download counts go first.
func (sh *shard) roomForTorrent() bool {
	s := sh.store
	if s.cfg.MaxTorrents > 0 && s.torrents.Load() >= int64(s.cfg.MaxTorrents) {
		return false
	}
	if sh.n >= maxSlabRecords {
		return false
	}
	if s.arena.used.Load() < s.softPages {
		return true
	}
	sh.forgetSome(forgetPerAnnounce)
	return s.arena.used.Load() < s.softPages
}

// newMark returns the mark of an announce made now.
func (sh *shard) newMark(a *bittorrent.Announce) uint16 {
	mark := uint16(sh.now & markTicks)
	if a.Seeder {
		mark |= markSeeder
	} else if a.Event == bittorrent.EventPaused {
		mark |= markPaused
	}
	return mark
}

// completed counts a completed download, once per peer record.
func (l *list) completed(a *bittorrent.Announce, before uint16) uint16 {
	if before&markCompleted != 0 {
		return markCompleted
	}
	if a.Event != bittorrent.EventCompleted || !a.Seeder {
		return 0
	}
	if l.r.downloaded < ^uint32(0) {
		l.r.downloaded++
	}
	return markCompleted
}

// apply applies an announce that is no stopped one. It returns the peer's
// position; it reports false where there is no place at all for a new peer, who
// is answered all the same.
func (l *list) apply(k *peerKey, h uint64, a *bittorrent.Announce, roomy bool) (at uint32, stored bool) {
	sh := l.sh
	if sh.sweep.within(l) {
		l.sweepFronts(k)
	}
	var c crowd
	if sh.perIP > 0 && l.size >= uint32(sh.perIP) && !k.private(l.six) {
		at, stored, c = l.meet(k, h)
	} else {
		at, stored = l.find(k, h)
	}
	if stored {
		return l.update(at, k, h, sh.newMark(a)|l.completed(a, l.mark(at))), true
	}
	mark := sh.newMark(a)
	if sh.perIP > 0 && c.n >= sh.perIP {
		sh.replaced++
		l.moveHand(c.oldest())
		return l.replace(c.oldest(), k, h, mark|l.completed(a, 0)), true
	}
	return l.admit(k, h, a, mark, roomy)
}

// admit takes in a new peer, where memory or the list is at its limit in the place
// of another one.
func (l *list) admit(k *peerKey, h uint64, a *bittorrent.Announce, mark uint16, roomy bool) (at uint32, ok bool) {
	sh := l.sh
	if l.size >= sh.store.maxPeers || !roomy || sh.arena.used.Load() >= sh.store.hardPages {
		if l.size == 0 {
			return 0, false
		}
		oldest := sh.rng().below(l.size)
		for range displaceTries {
			if other := sh.rng().below(l.size); sh.age(l.mark(other)) > sh.age(l.mark(oldest)) {
				oldest = other
			}
		}
		l.remove(oldest)
		sh.displaced++
	}
	mark |= l.completed(a, 0)
	return l.insert(k, h, mark), true
}
