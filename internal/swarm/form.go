package swarm

// Where a list's peers lie: inside the record, in a block, or in pages of its
// own. Growing and shrinking copy at most one block, 2 KiB.

// These keep a list from going to and fro between two forms.
const (
	blockLowNum, blockLowDen = 3, 4           // of a block: a smaller one is looked for
	bigLowNum, bigLowDen     = 3, 4           // of the largest block: a big list becomes a block again
	segmentSlack             = 64             // free places before a big list's last page goes
	inlineLow                = inlineMax4 - 1 // IPv4 peers at which a record becomes small again
)

// blockPeers returns how many peers a block of class c holds.
func (l *list) blockPeers(c uint8) uint32 { return classes[c].peers[b2u(l.six)] }

// classFor returns the smallest class that holds n peers. There is one.
func (l *list) classFor(n uint32) uint8 {
	c := uint8(0)
	for l.blockPeers(c) < n {
		c++
	}
	return c
}

// owner returns the owner word of the list's block or of its index.
func (l *list) owner(kind uint32) uint32 { return l.rec<<ownerBits | b2u(l.six)*ownerSix | kind }

// reserve makes room for one more peer.
func (l *list) reserve() {
	if l.form == formInline {
		if l.fitsInline() {
			return
		}
		l.save()
		l.sh.fillRecord(l.rec, l.r)
		l.open(l.sh, l.rec, l.r, l.six)
	}
	switch l.form {
	case formNone:
		l.toBlock(0)
	case formBlock:
		switch {
		case l.size < l.blockPeers(l.class):
		case l.size < l.blockPeers(classCount-1):
			l.toBlock(l.classFor(l.size + 1))
		default:
			l.toBig()
		}
	case formBig:
		if l.size == uint32(len(l.big.segments))*segmentSize(l.six) {
			l.big.grow(l.sh.arena)
		}
	}
}

// fitsInline reports whether a small record has room for one more of the list.
func (l *list) fitsInline() bool {
	if l.six {
		return l.size == 0 && l.r.inline(false) <= inlineMixed
	}
	if l.r.inline(true) > 0 {
		return l.size < inlineMixed
	}
	return l.size < inlineMax4
}

// inline returns how many peers of a family a small record has.
func (r *record) inline(six bool) (n uint32) {
	head := r.head
	if six {
		head >>= headShift
	}
	for part := range parts {
		n += uint32(head>>(4*part)) & 15
	}
	return n
}

// release gives back what a list that has become shorter needs no more.
func (l *list) release() {
	if l.form == formInline {
		return
	}
	l.indexRelease()
	switch {
	case l.size == 0:
		l.freePeers()
	case l.form == formBig:
		segment := segmentSize(l.six)
		pages := uint32(len(l.big.segments))
		if l.size < l.blockPeers(classCount-1)*bigLowNum/bigLowDen {
			l.toBlock(l.classFor(l.size + 1))
		} else if l.size+segmentSlack <= (pages-1)*segment {
			l.big.trim(l.sh.arena)
		}
	case l.size <= l.blockPeers(l.class)*blockLowNum/blockLowDen:
		if c := l.classFor(l.size + 1); c < l.class {
			l.toBlock(c)
		}
	}
	if l.size <= inlineLow {
		l.save()
		if l.sh.emptyRecord(l.rec, l.r) {
			l.open(l.sh, l.rec, l.r, l.six)
		}
	}
}

// toBlock moves the peers to a block of class c, which is large enough.
func (l *list) toBlock(c uint8) {
	from, old := *l, l.handle()
	l.r.setHandle(l.six, false, l.sh.addBlock(c, l.owner(0)))
	l.form, l.class, l.big = formBlock, c, nil
	l.view()
	l.copyFrom(&from)
	from.freeAs(old)
	l.view()
}

// toBig moves the peers from a block to a page.
func (l *list) toBig() {
	from, old := *l, l.handle()
	id := l.sh.addBig()
	l.r.setHandle(l.six, false, id)
	l.form, l.class, l.big, l.buf = formBig, 0, &l.sh.bigs[id], nil
	l.big.grow(l.sh.arena)
	l.copyFrom(&from)
	from.freeAs(old)
}

// copyFrom copies all peers and marks of a list of at most a page.
func (l *list) copyFrom(from *list) {
	for i := range from.size {
		copy(l.wire(i), from.wire(i))
		l.setMark(i, from.mark(i))
	}
}

// freePeers gives back where the peers were.
func (l *list) freePeers() {
	l.freeAs(l.handle())
	l.form, l.class, l.big, l.buf, l.wireAt = formNone, 0, nil, nil, 0
}

// freeAs gives back where the peers were, by the list's former handle.
func (l *list) freeAs(handle uint32) {
	switch l.form {
	case formBlock:
		l.sh.removeBlock(l.class, handle)
	case formBig:
		l.sh.arena.release(l.big.numbers...)
		l.sh.removeBig(handle)
	}
}

// drop removes all peers at once.
func (l *list) drop() {
	l.sh.seeders[b2u(l.six)] -= int(l.complete())
	l.sh.peers[b2u(l.six)] -= int(l.size)
	if l.size > 0 {
		l.sh.lists[b2u(l.six)]--
	}
	l.n, l.size = [counts]uint32{}, 0
	if l.form != formInline {
		l.indexFree()
		l.freePeers()
	}
	l.save()
}

// addBig returns the number of an empty big.
func (sh *shard) addBig() uint32 {
	if n := len(sh.freeBigs); n > 0 {
		id := sh.freeBigs[n-1]
		sh.freeBigs = sh.freeBigs[:n-1]
		return id
	}
	sh.bigs = append(sh.bigs, big{})
	return uint32(len(sh.bigs) - 1)
}

// removeBig takes a big back. Numbers are stable, since lists name them.
func (sh *shard) removeBig(id uint32) {
	sh.bigs[id] = big{}
	sh.freeBigs = append(sh.freeBigs, id)
	if len(sh.freeBigs) == len(sh.bigs) {
		sh.bigs, sh.freeBigs = nil, nil
	}
}

// fillRecord turns a small record into a full one.
func (sh *shard) fillRecord(rec uint32, r *record) {
	small := *r
	r.head, r.area = headFull, [areaSize]byte{}
	for _, six := range [2]bool{false, true} {
		var from, to list
		from.open(sh, rec, &small, six)
		to.open(sh, rec, r, six)
		if from.size > 0 {
			to.toBlock(to.classFor(from.size + 1))
			to.n, to.size = from.n, from.size
			to.copyFrom(&from)
			to.save()
		}
	}
}

// emptyRecord turns a full record into a small one where that has room for its
// peers. It reports whether it did.
func (sh *shard) emptyRecord(rec uint32, r *record) bool {
	var lists [2]list
	lists[0].open(sh, rec, r, false)
	lists[1].open(sh, rec, r, true)
	n4, n6 := lists[0].size, lists[1].size
	if n6 > inlineMixed || n4 > inlineLow || (n6 > 0 && n4 > inlineMixed) {
		return false
	}
	small := record{hash: r.hash, downloaded: r.downloaded}
	for i := range lists {
		from := &lists[i]
		var to list
		to.open(sh, rec, &small, i == 1)
		to.n, to.size = from.n, from.size
		to.copyFrom(from)
		to.save()
	}
	for _, six := range [2]bool{false, true} {
		var l list
		l.open(sh, rec, r, six)
		l.freePeers()
	}
	*r = small
	return true
}
