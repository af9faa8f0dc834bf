package swarm

// Changes of a list that keep its parts in order and its index right. The list
// has to be saved afterwards.

// insert adds a peer that is not in the list. It returns its position.
func (l *list) insert(k *peerKey, h uint64, mark uint16) uint32 {
	l.reserve()
	part := k.part(l.six, mark&markSeeder != 0)
	at := l.size
	for q := parts - 1; q > part; q-- {
		if l.n[q] > 0 {
			first := l.start(q)
			l.shift(first, at)
			at = first
		}
	}
	k.write(l.wire(at), l.six)
	l.setMark(at, mark)
	l.n[part]++
	l.size++
	l.sh.peers[b2u(l.six)]++
	if l.size == 1 {
		l.sh.lists[b2u(l.six)]++
	}
	l.count(part, mark, 1)
	l.indexInsert(h, at)
	return at
}

// remove takes out the peer at a position.
func (l *list) remove(at uint32) {
	mark := l.mark(at)
	part := l.partOf(at)
	l.indexRemove(l.hashAt(at), at)
	for q := part; q < parts; q++ {
		if l.n[q] == 0 {
			continue
		}
		last := l.start(q) + l.n[q] - 1
		if last != at {
			l.shift(last, at)
		}
		at = last
	}
	l.n[part]--
	l.size--
	l.sh.peers[b2u(l.six)]--
	if l.size == 0 {
		l.sh.lists[b2u(l.six)]--
	}
	l.count(part, mark, ^uint32(0))
	l.release()
}

// update gives the peer at a position a new mark, and moves it where its part is
// another now. It returns its new position.
func (l *list) update(at uint32, k *peerKey, h uint64, mark uint16) uint32 {
	old := l.mark(at)
	if (old^mark)&(markSeeder|markPaused) == 0 {
		l.setMark(at, mark)
		return at
	}
	return l.replace(at, k, h, mark)
}

// replace puts a peer in the place of another one, or of itself, whose hash is
// the same where the list has an index, and moves it to its part. It returns its
// new position.
func (l *list) replace(at uint32, k *peerKey, h uint64, mark uint16) uint32 {
	part, to := l.partOf(at), k.part(l.six, mark&markSeeder != 0)
	l.count(part, l.mark(at), ^uint32(0))
	l.count(to, mark, 1)
	if part == to {
		k.write(l.wire(at), l.six)
		l.setMark(at, mark)
		return at
	}
	// Others pass through this peer's position, so its slot is found first.
	slot := l.indexSlot(h, at)
	for q := part; q < to; q++ {
		if l.n[q] == 0 {
			continue
		}
		if last := l.start(q) + l.n[q] - 1; last != at {
			l.shift(last, at)
			at = last
		}
	}
	for q := part; q > to; q-- {
		if l.n[q] == 0 {
			continue
		}
		if first := l.start(q); first != at {
			l.shift(first, at)
			at = first
		}
	}
	l.n[part]--
	l.n[to]++
	k.write(l.wire(at), l.six)
	l.setMark(at, mark)
	if slot != nil {
		*slot = slotOf(h, at)
	}
	return at
}

// shift moves a peer to another position and tells the index.
func (l *list) shift(from, to uint32) {
	wire := l.wire(from)
	copy(l.wire(to), wire)
	l.setMark(to, l.mark(from))
	if l.indexForm != indexNone {
		k := keyAt(wire, l.six)
		l.indexMove(l.sh.hash(&k, l.six), from, to)
	}
}

// count adds by, which is 1 or -1, to what counts peers with such a mark.
func (l *list) count(part int, mark uint16, by uint32) {
	if mark&markPaused != 0 {
		l.n[countPaused] += by
	}
	if mark&markSeeder != 0 {
		l.sh.seeders[b2u(l.six)] += int(int32(by))
		if part == partMute {
			l.n[countMuteSeeders] += by
		}
	}
}

// hashAt returns the hash of the peer at a position.
func (l *list) hashAt(at uint32) uint64 {
	k := keyAt(l.wire(at), l.six)
	return l.sh.hash(&k, l.six)
}
