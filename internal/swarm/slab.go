package swarm

import "unsafe"

// A slab is a dense array of blocks of one class: removing one moves the last
// into its place. A handle is a page number times 128 plus the place in it.
type slab struct {
	pages []uint32
	n     uint32
}

const handleBits = 7

// block returns the bytes of a block.
func (a *arena) block(handle uint32, c uint8) []byte {
	size := classes[c].size
	off := handle & (1<<handleBits - 1) * size
	return a.page(handle >> handleBits)[off : off+size : off+size]
}

// owner returns the first word of a block.
func owner(block []byte) *uint32 { return (*uint32)(unsafe.Pointer(&block[0])) }

// slots returns the slots of an index block.
func slots(block []byte) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(&block[blockHeadSize])), len(block)/4-1)
}

// addBlock appends a block to the slab of its class.
func (sh *shard) addBlock(c uint8, own uint32) (handle uint32) {
	s := &sh.slabs[c]
	perPage := classes[c].perPage
	if s.n == uint32(len(s.pages))*perPage {
		s.pages = append(s.pages, sh.arena.alloc())
	}
	handle = s.pages[s.n/perPage]<<handleBits | s.n%perPage
	s.n++
	*owner(sh.arena.block(handle, c)) = own
	return handle
}

// removeBlock removes a block. The last one of its class, whoever owns it, moves
// into its place: handles that were read before are not valid any more.
func (sh *shard) removeBlock(c uint8, handle uint32) {
	s := &sh.slabs[c]
	perPage := classes[c].perPage
	s.n--
	last := s.pages[s.n/perPage]<<handleBits | s.n%perPage
	if last != handle {
		moved := sh.arena.block(handle, c)
		copy(moved, sh.arena.block(last, c))
		own := *owner(moved)
		sh.record(own>>ownerBits).setHandle(own&ownerSix != 0, own&ownerIndex != 0, handle)
	}
	if s.n%perPage == 0 {
		sh.arena.release(s.pages[s.n/perPage])
		s.pages = shrink(s.pages, int(s.n/perPage))
	}
}

// shrink cuts a slice to n elements, and lets go of its memory where that is
// far too much.
func shrink[T any](s []T, n int) []T {
	clear(s[n:])
	s = s[:n]
	if cap(s) > 64 && n < cap(s)/4 {
		s = append(make([]T, 0, n*2), s...)
	}
	return s
}
