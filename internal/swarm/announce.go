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
	tick := s.ticks(now)
	six := a.Addr.Is6()
	k := keyOf(a)
	sh, h := s.shard(&a.InfoHash)
	peerHash := sh.hash(&k, six)
	roomy := s.arena.prepare()

	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.setNow(tick)
	rec, torrent := sh.findRecord(&a.InfoHash, h)
	if a.Event == bittorrent.EventStopped {
		sh.stop(rec, torrent, a, &k, h, peerHash, r)
		return bittorrent.FailureNone
	}
	if torrent == nil {
		if !roomy || !sh.roomForTorrent() {
			sh.full++
			return bittorrent.FailureFull
		}
		rec, torrent = sh.addRecord(&a.InfoHash, h)
		torrent.downloaded = sh.recall(&a.InfoHash, h)
	}
	var own, other list
	own.open(sh, rec, torrent, six)
	if own.size >= prefetchFrom {
		own.prefetch(a, peerHash)
	}
	at, stored := own.apply(&k, peerHash, a, roomy)
	own.save()
	if !stored && torrent.empty() {
		sh.dropRecord(rec, torrent, h, sh.now)
		sh.full++
		return bittorrent.FailureFull
	}
	if torrent.has(!six) {
		other.open(sh, rec, torrent, !six)
	}
	r.Complete = own.complete() + other.complete()
	r.Incomplete = own.incomplete() + other.incomplete()
	r.Downloaded = torrent.downloaded
	if a.NumWant > 0 {
		if !stored {
			at = noPeer
		}
		sample(&own, &other, at, a, r)
	}
	return bittorrent.FailureNone
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

// stop removes a peer, and its torrent where it was the last one.
func (sh *shard) stop(rec uint32, torrent *record, a *bittorrent.Announce, k *peerKey, h, peerHash uint64, r *bittorrent.AnnounceReply) {
	if torrent == nil {
		if _, m := sh.findMemory(&a.InfoHash, h); m != nil {
			r.Downloaded = m.downloaded
		}
		return
	}
	var own, other list
	six := a.Addr.Is6()
	own.open(sh, rec, torrent, six)
	if at, found := own.find(k, peerHash); found {
		own.remove(at)
		own.save()
	}
	if torrent.has(!six) {
		other.open(sh, rec, torrent, !six)
	}
	r.Complete = own.complete() + other.complete()
	r.Incomplete = own.incomplete() + other.incomplete()
	r.Downloaded = torrent.downloaded
	if own.size+other.size == 0 {
		sh.dropRecord(rec, torrent, h, sh.now)
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
		oldest := sh.rng.below(l.size)
		for range displaceTries {
			if other := sh.rng.below(l.size); sh.age(l.mark(other)) > sh.age(l.mark(oldest)) {
				oldest = other
			}
		}
		l.remove(oldest)
		sh.displaced++
	}
	mark |= l.completed(a, 0)
	return l.insert(k, h, mark), true
}
