package swarm

import "slices"

// The slots of an index, of a block or of a page: see layout.go.
const (
	posBits = 24
	posMask = 1<<posBits - 1
	tagMask = 1<<32 - 1<<posBits
	// loadNum/loadDen is the load above which an index grows. Tags make long
	// probe runs cheap: 32 slots, two cache lines, for what is not there.
	loadNum, loadDen = 7, 8
)

// A hash's bits: 0-31 choose the slot in a table, 32-39 are the tag, and the
// first ones choose the page.
func tagOf(h uint64) uint32 { return uint32(h>>32) << posBits }

// home returns where the probe run of a hash starts among n slots.
func home(h uint64, n int) int { return int(uint64(uint32(h)) * uint64(n) >> 32) }

func slotOf(h uint64, pos uint32) uint32 { return tagOf(h) | (pos + 1) }

// next returns the slot after i of n.
func next(i, n int) int {
	if i++; i == n {
		return 0
	}
	return i
}

// put enters a position. There is room.
func put(slots []uint32, h uint64, pos uint32) {
	i := home(h, len(slots))
	for slots[i] != 0 {
		i = next(i, len(slots))
	}
	slots[i] = slotOf(h, pos)
}

// seek returns the place of a position's slot, or -1 where there is none.
func seek(slots []uint32, h uint64, pos uint32) int {
	want := slotOf(h, pos)
	for i := home(h, len(slots)); slots[i] != 0; i = next(i, len(slots)) {
		if slots[i] == want {
			return i
		}
	}
	return -1
}

// guess returns the first position that may be what has a hash.
func guess(slots []uint32, h uint64) (pos uint32, ok bool) {
	tag := tagOf(h)
	for i := home(h, len(slots)); slots[i] != 0; i = next(i, len(slots)) {
		if slots[i]&tagMask == tag {
			return slots[i]&posMask - 1, true
		}
	}
	return 0, false
}

// cut empties slot i and shifts the rest of its probe run back, so that there
// are no tombstones. hashOf returns the hash of what a position holds.
func cut(slots []uint32, i int, hashOf func(pos uint32) uint64) {
	n := len(slots)
	hole := i
	for j := next(i, n); slots[j] != 0; j = next(j, n) {
		from := home(hashOf(slots[j]&posMask-1), n)
		// Slot j may move to the hole unless its run starts after the hole.
		if (j-from+n)%n >= (j-hole+n)%n {
			slots[hole] = slots[j]
			hole = j
		}
	}
	slots[hole] = 0
}

// A directory is the root of an extendible index: the first depth bits of a hash
// choose the page. Several entries in a row may share a page of less depth.
type directory struct {
	pages []uint32
	depth uint8
	count uint32 // slots in use in all pages
}

const (
	tableHead  = 4 // words before a page's slots
	tableSlots = pageSize/4 - tableHead
	tableFull  = tableSlots * loadNum / loadDen
	// Two pages merge when one falls below tableSparse and both together fit
	// into tableMerged: far enough from a split not to go to and fro.
	tableSparse = tableSlots / 4
	tableMerged = tableSlots / 2
	countBits   = 16
)

// A table is one page of an extendible index.
type table []uint32

func (a *arena) table(n uint32) table { return a.page(n).words()[:] }

func (t table) slots() []uint32   { return t[tableHead:] }
func (t table) count() int        { return int(t[0] & (1<<countBits - 1)) }
func (t table) depth() uint8      { return uint8(t[0] >> countBits) }
func (t table) add(n int)         { t[0] += uint32(n) }
func (t table) reset(depth uint8) { clear(t); t[0] = uint32(depth) << countBits }

// at returns the directory's entry for a hash.
func (d *directory) at(h uint64) int { return int(h >> (64 - d.depth)) }

// slots returns the slots in which a hash's probe run lies, nil where the index
// is empty.
func (d *directory) slots(a *arena, h uint64) []uint32 {
	if len(d.pages) == 0 {
		return nil
	}
	return a.table(d.pages[d.at(h)]).slots()
}

// insert enters a position.
func (d *directory) insert(a *arena, h uint64, pos uint32, hashOf func(pos uint32) uint64) {
	if len(d.pages) == 0 {
		d.pages = append(d.pages, a.alloc())
		a.table(d.pages[0]).reset(0)
	}
	t := a.table(d.pages[d.at(h)])
	for t.count() >= tableFull {
		d.split(a, h, hashOf)
		t = a.table(d.pages[d.at(h)])
	}
	put(t.slots(), h, pos)
	t.add(1)
	d.count++
}

// remove takes out a position that is there.
func (d *directory) remove(a *arena, h uint64, pos uint32, hashOf func(pos uint32) uint64) {
	t := a.table(d.pages[d.at(h)])
	cut(t.slots(), seek(t.slots(), h, pos), hashOf)
	t.add(-1)
	d.count--
	if d.count == 0 {
		d.free(a)
		return
	}
	for t.count() < tableSparse && d.merge(a, h, hashOf) {
		t = a.table(d.pages[d.at(h)])
	}
}

// move changes a position that is there.
func (d *directory) move(a *arena, h uint64, from, to uint32) {
	s := d.slots(a, h)
	s[seek(s, h, from)] = slotOf(h, to)
}

// split makes two pages of the one that h is in.
func (d *directory) split(a *arena, h uint64, hashOf func(pos uint32) uint64) {
	old := a.table(d.pages[d.at(h)])
	depth := old.depth()
	if depth == d.depth {
		double := make([]uint32, 0, 2*len(d.pages))
		for _, p := range d.pages {
			double = append(double, p, p)
		}
		d.pages, d.depth = double, d.depth+1
	}
	var entries [tableSlots]uint32
	copy(entries[:], old.slots())
	number := a.alloc()
	fresh := a.table(number)
	old.reset(depth + 1)
	fresh.reset(depth + 1)
	for _, e := range entries {
		if e == 0 {
			continue
		}
		pos := e&posMask - 1
		eh := hashOf(pos)
		t := old
		if eh>>(63-depth)&1 == 1 {
			t = fresh
		}
		put(t.slots(), eh, pos)
		t.add(1)
	}
	// The second half of the entries that shared the old page.
	first, span := d.span(h, depth)
	for i := first + span/2; i < first+span; i++ {
		d.pages[i] = number
	}
}

// span returns the first entry and the number of those that share the first
// depth bits of h.
func (d *directory) span(h uint64, depth uint8) (first, n int) {
	n = 1 << (d.depth - depth)
	return d.at(h) &^ (n - 1), n
}

// merge makes one page of the one that h is in and its sibling, where the two
// fit into one.
func (d *directory) merge(a *arena, h uint64, hashOf func(pos uint32) uint64) bool {
	t := a.table(d.pages[d.at(h)])
	depth := t.depth()
	if depth == 0 {
		return false
	}
	first, span := d.span(h, depth-1)
	low, high := d.pages[first], d.pages[first+span/2]
	into, from := a.table(low), a.table(high)
	if from.depth() != depth || into.depth() != depth || into.count()+from.count() > tableMerged {
		return false
	}
	for _, e := range from.slots() {
		if e != 0 {
			pos := e&posMask - 1
			put(into.slots(), hashOf(pos), pos)
		}
	}
	into.add(from.count())
	into[0] -= 1 << countBits
	a.release(high)
	for i := first + span/2; i < first+span; i++ {
		d.pages[i] = low
	}
	d.halve()
	return true
}

// halve shortens the directory as long as all its entries come in pairs.
func (d *directory) halve() {
	for d.depth > 0 {
		for i := 0; i < len(d.pages); i += 2 {
			if d.pages[i] != d.pages[i+1] {
				return
			}
		}
		half := make([]uint32, 0, len(d.pages)/2)
		for i := 0; i < len(d.pages); i += 2 {
			half = append(half, d.pages[i])
		}
		d.pages, d.depth = half, d.depth-1
	}
}

// free gives all pages back.
func (d *directory) free(a *arena) {
	// The entries of one page are neighbours. The pages are not read: thousands of
	// cache misses, 2 ms for a list of five million peers.
	a.release(slices.Compact(d.pages)...)
	*d = directory{}
}
