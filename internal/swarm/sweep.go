package swarm

import (
	"runtime"
	"time"

	"spate/internal/bittorrent"
)

// What one slice of a sweep may cost, in about the nanoseconds it takes.
const (
	defaultSliceBudget = 60_000
	recordCost         = 60 // a cache line from memory
	peerCost           = 3
	removeCost         = 300
	forgetCost         = 200
	// forgetPerSlice is how many remembered counts a slice drops where memory
	// is at its limit.
	forgetPerSlice = 512
)

// A sweepState says how far the pass over a shard is. A pass goes from the last
// record to the first, and in a list from the last peer to the first: what is
// last fills holes, so nothing that the pass has still to see moves behind it.
// The one exception is sweepFronts.
type sweepState struct {
	active bool
	begun  uint64 // ticks
	rec    uint32 // the records below are to come
	memory uint32 // the remembered counts below are to come

	// Within record rec-1: the peers below at of one family are to come.
	inside bool
	six    bool
	at     uint32
}

// removed notes that record last has taken the place of record rec, or was
// removed itself. If the pass stood within one of them it starts that place
// anew.
func (w *sweepState) removed(rec, last uint32) {
	if w.inside && (w.rec-1 == rec || w.rec-1 == last) {
		w.inside = false
	}
}

// within reports whether the pass stands within a list.
func (w *sweepState) within(l *list) bool { return w.inside && w.rec-1 == l.rec && w.six == l.six }

// Sweep does one slice of a pass over everything, under one shard's lock and in
// well under a millisecond: it removes the peers that are too old at now and,
// where allowed is not nil, those of torrents that it refuses, with their
// download counts. At the end of a pass it gives free memory back to the system,
// a region a call and under no shard's lock. It returns false at the end of the
// pass; the next call begins another. allowed is called with a shard locked: it
// must be quick and must not call the store.
func (s *Store) Sweep(now time.Duration, allowed func(*bittorrent.InfoHash) bool) (more bool) {
	s.sweep.mu.Lock()
	defer s.sweep.mu.Unlock()
	if s.sweep.next < len(s.shards) {
		sh := &s.shards[s.sweep.next]
		sh.lock()
		sh.setNow(s.ticks(now))
		done := sh.sweepSlice(allowed)
		sh.unlock()
		runtime.Gosched() // let in who waits: see Snapshot
		if done {
			s.sweep.next++
		}
		return true
	}
	if s.arena.trim() {
		return true
	}
	s.sweep.next = 0
	s.sweep.passes++
	return false
}

// sweepSlice does one slice of the pass over a shard. It reports whether that
// was the last one.
func (sh *shard) sweepSlice(allowed func(*bittorrent.InfoHash) bool) (done bool) {
	w := &sh.sweep
	if !w.active {
		*w = sweepState{active: true, begun: sh.now, rec: sh.n, memory: sh.remembered}
	}
	if sh.arena.used.Load() >= sh.store.softPages {
		sh.forgetSome(forgetPerSlice)
	}
	budget := sh.store.sliceBudget
	for budget > 0 {
		if w.rec = min(w.rec, sh.n); w.rec == 0 {
			break
		}
		budget = sh.sweepRecord(allowed, budget)
	}
	for budget > 0 {
		if w.memory = min(w.memory, sh.remembered); w.memory == 0 {
			break
		}
		w.memory--
		m := sh.memory(w.memory)
		budget -= recordCost
		if uint32(sh.now)-m.tick > sh.store.forget || (allowed != nil && !allowed(&m.hash)) {
			sh.forget(w.memory)
			budget -= forgetCost
		}
	}
	if budget <= 0 {
		return false
	}
	w.active = false
	sh.lastPass = w.begun
	return true
}

// sweepRecord goes on with the record at which the pass stands. It returns what
// is left of the budget.
func (sh *shard) sweepRecord(allowed func(*bittorrent.InfoHash) bool, budget int) int {
	w := &sh.sweep
	rec := w.rec - 1
	r := sh.record(rec)
	if !w.inside {
		budget -= recordCost
		if allowed != nil && !allowed(&r.hash) {
			w.rec = rec
			sh.refuse(rec, r)
			return budget - removeCost
		}
		w.inside, w.six, w.at = true, false, noPeer
	}
	for {
		var l list
		l.open(sh, rec, r, w.six)
		w.at, budget = l.expire(min(w.at, l.size), budget, 0)
		l.save()
		if w.at > 0 {
			return budget
		}
		if w.six {
			break
		}
		w.six, w.at = true, noPeer
	}
	w.inside, w.rec = false, rec
	if r.empty() {
		sh.dropRecord(rec, r, sh.recordHash(rec), sh.now)
		budget -= removeCost
	}
	return budget
}

// empty reports whether a record has no peers.
func (r *record) empty() bool { return r.head&^headFull == 0 }

// refuse removes a torrent that is not allowed any more.
func (sh *shard) refuse(rec uint32, r *record) {
	for _, six := range [2]bool{false, true} {
		var l list
		l.open(sh, rec, r, six)
		sh.refused += uint64(l.size)
		l.drop()
	}
	sh.removeRecord(rec)
}

// old reports whether a peer's time is over, late ticks after the shard's clock.
func (sh *shard) old(mark uint16, late uint64) bool { return sh.age(mark)+late > ageTicks }

// expire removes old peers below position at, from there to the first, as far as
// the budget goes. It returns the position below which it has not looked.
func (l *list) expire(at uint32, budget int, late uint64) (_ uint32, left int) {
	if at == l.size && l.form != formBig && l.allOld(late) {
		l.sh.expired += uint64(l.size)
		budget -= int(at)*peerCost + removeCost
		l.drop()
		return 0, budget
	}
	for at > 0 && budget > 0 {
		at--
		budget -= peerCost
		if l.sh.old(l.mark(at), late) {
			l.remove(at)
			l.sh.expired++
			budget -= removeCost
		}
	}
	return at, budget
}

// allOld reports whether there are peers, and all are old.
func (l *list) allOld(late uint64) bool {
	for i := range l.size {
		if !l.sh.old(l.mark(i), late) {
			return false
		}
	}
	return l.size > 0
}

// sweepFronts removes those old peers that an announce of k could move from where
// the pass has still to look to where it has looked: when a peer comes into a
// part, the first of each later part moves to its end. It leaves k itself.
func (l *list) sweepFronts(k *peerKey) {
	for part := range parts {
		at := l.start(part)
		if l.n[part] == 0 || at >= l.sh.sweep.at || !l.sh.old(l.mark(at), 0) || keyAt(l.wire(at), l.six) == *k {
			continue
		}
		l.remove(at)
		l.sh.expired++
	}
}

// rescue removes what is old in a shard over which no pass has gone for so long
// that the marks would become ambiguous. It is the one place that looks at a
// whole shard at once: after the clock has jumped by more than MaxPeerAge.
func (sh *shard) rescue(now uint64) {
	late := now - sh.now
	for rec := sh.n; rec > 0; {
		rec--
		r := sh.record(rec)
		for _, six := range [2]bool{false, true} {
			var l list
			l.open(sh, rec, r, six)
			for at := l.size; at > 0; {
				at, _ = l.expire(at, defaultSliceBudget, late)
			}
			l.save()
		}
		if r.empty() {
			sh.dropRecord(rec, r, sh.recordHash(rec), now)
		}
	}
	sh.lastPass = now
}
