package swarm

// A list's index: none, a block, or a directory of pages. See layout.go.
const (
	indexFrom   = 33  // peers from which a list has an index
	indexDrop   = 16  // peers below which it has none any more
	pagesDrop   = 300 // peers below which an index of pages becomes a block again
	sparseSlots = 4   // slots per peer above which an index block shrinks
)

// indexSlots returns the slots of the table in which a hash's probe run lies, or
// nil where there is no index.
func (l *list) indexSlots(h uint64) []uint32 {
	switch l.indexForm {
	case indexBlock:
		return slots(l.sh.arena.block(l.indexHandle(), l.indexClass))
	case indexPages:
		return l.big.index.slots(l.sh.arena, h)
	}
	return nil
}

// indexSlot returns a position's slot, or nil where there is no index.
func (l *list) indexSlot(h uint64, at uint32) *uint32 {
	s := l.indexSlots(h)
	if s == nil {
		return nil
	}
	return &s[seek(s, h, at)]
}

func (l *list) indexMove(h uint64, from, to uint32) { *l.indexSlot(h, from) = slotOf(h, to) }

// indexInsert enters a position of a list that already counts it.
func (l *list) indexInsert(h uint64, at uint32) {
	switch l.indexForm {
	case indexNone:
		if l.size >= indexFrom {
			l.indexBuild()
		}
	case indexBlock:
		if s := l.indexSlots(h); l.size <= uint32(len(s))*loadNum/loadDen {
			put(s, h, at)
		} else {
			l.indexBuild()
		}
	case indexPages:
		l.big.index.insert(l.sh.arena, h, at, func(pos uint32) uint64 { return l.hashAt(pos) })
	}
}

// indexRemove takes out a position. All peers are still where they were.
func (l *list) indexRemove(h uint64, at uint32) {
	hashOf := func(pos uint32) uint64 { return l.hashAt(pos) }
	switch l.indexForm {
	case indexBlock:
		s := l.indexSlots(h)
		cut(s, seek(s, h, at), hashOf)
	case indexPages:
		l.big.index.remove(l.sh.arena, h, at, hashOf)
	}
}

// indexRelease makes the index smaller where that is due.
func (l *list) indexRelease() {
	switch l.indexForm {
	case indexBlock:
		if l.size < indexDrop {
			l.indexFree()
			l.view()
		} else if l.size*sparseSlots < classes[l.indexClass].slots {
			l.indexBuild()
		}
	case indexPages:
		if l.size < pagesDrop {
			l.indexBuild()
		}
	}
}

// indexFree gives the index back. Blocks may have moved after it.
func (l *list) indexFree() {
	switch l.indexForm {
	case indexBlock:
		l.sh.removeBlock(l.indexClass, l.indexHandle())
	case indexPages:
		l.big.index.free(l.sh.arena)
	}
	l.indexForm, l.indexClass = indexNone, 0
}

// indexBuild makes a new index of the size that fits. A list of a block has at
// most 255 peers, so this is short; larger ones split their pages one by one.
func (l *list) indexBuild() {
	l.indexFree()
	l.view()
	want := l.size + l.size/2
	if want > classes[classCount-1].slots {
		l.indexForm = indexPages
		for at := range l.size {
			l.big.index.insert(l.sh.arena, l.hashAt(at), at, func(pos uint32) uint64 { return l.hashAt(pos) })
		}
		return
	}
	c := uint8(0)
	for classes[c].slots < want {
		c++
	}
	l.indexForm, l.indexClass = indexBlock, c
	l.r.setHandle(l.six, true, l.sh.addBlock(c, l.owner(ownerIndex)))
	s := slots(l.sh.arena.block(l.indexHandle(), c))
	clear(s)
	for at := range l.size {
		put(s, l.hashAt(at), at)
	}
}
