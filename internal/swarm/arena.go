package swarm

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	regionPages = 1024 // 4 MiB
	// maxRegions is 64 GiB, and 1.25 GiB where addresses have 32 bits: docs/adr/0035.
	maxRegions = 320 + (1<<14-320)*(bits.UintSize/64)
	// headroom is how many free pages there have to be before an announce, so
	// that no allocation inside it fails where the system has no more: an
	// announce needs fewer than 16.
	headroom = 512
	// keepPages is how many free pages stay resident whatever is in use.
	keepPages = 256
)

// A region is what the system is asked for at once.
type region [regionPages]page

// An arena hands out pages. What is free goes back to the system in trim.
type arena struct {
	// regions is read without the lock: an entry is written once, before any
	// of its pages is handed out.
	regions [maxRegions]*region

	used atomic.Int64 // pages handed out
	free atomic.Int64 // pages that could be, without asking the system

	mu    sync.Mutex // guards the rest, and writes to regions
	info  []regionInfo
	hint  int // no region below has a free page
	warm  int // free pages that are resident
	trims int // the next region that trim looks at, plus 1
	maps  *mappings
}

// A regionInfo says which pages of a region are free, and which of those were
// in use since they last went back to the system.
type regionInfo struct {
	free, warm [regionPages / 64]uint64
	frees      int
}

// mappings is what has to be unmapped once an arena is garbage.
type mappings struct{ regions [][]byte }

func newArena() *arena {
	a := &arena{maps: &mappings{}}
	runtime.AddCleanup(a, func(m *mappings) {
		for _, b := range m.regions {
			unmapRegion(b)
		}
	}, a.maps)
	return a
}

// page returns a page by its number.
func (a *arena) page(n uint32) *page { return &a.regions[n/regionPages][n%regionPages] }

// prepare sees to it that there is headroom. It reports whether there is.
func (a *arena) prepare() bool {
	return a.free.Load() >= headroom || a.grow()
}

// grow is prepare where there is not: it asks the system.
func (a *arena) grow() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.free.Load() >= headroom || a.addRegion()
}

// addRegion asks the system for a region, under the lock.
func (a *arena) addRegion() bool {
	if len(a.info) == maxRegions {
		return false
	}
	r, mapping := mapRegion()
	if r == nil {
		return false
	}
	if mapping != nil {
		a.maps.regions = append(a.maps.regions, mapping)
	}
	info := regionInfo{frees: regionPages}
	for i := range info.free {
		info.free[i] = ^uint64(0)
	}
	if len(a.info) == 0 {
		// Page 0 is never handed out. A processor that guesses wrong reads what
		// is at handle 0, and takes the line from the core that writes there.
		info.free[0] &^= 1
		info.frees--
	}
	a.regions[len(a.info)] = r
	a.info = append(a.info, info)
	a.free.Add(int64(info.frees))
	return true
}

// alloc returns a page, whose contents are anything. The lowest free one is
// taken, so that what is in use stays together.
func (a *arena) alloc() uint32 {
	a.mu.Lock()
	for a.hint < len(a.info) && a.info[a.hint].frees == 0 {
		a.hint++
	}
	if a.hint == len(a.info) && !a.addRegion() {
		a.mu.Unlock()
		panic("swarm: out of pages despite the headroom")
	}
	info := &a.info[a.hint]
	n := uint32(a.hint * regionPages)
	for w := range info.free {
		if info.free[w] == 0 {
			continue
		}
		bit := uint(bits.TrailingZeros64(info.free[w]))
		info.free[w] &^= 1 << bit
		if info.warm[w]&(1<<bit) != 0 {
			info.warm[w] &^= 1 << bit
			a.warm--
		}
		n += uint32(w)*64 + uint32(bit)
		break
	}
	info.frees--
	a.mu.Unlock()
	a.free.Add(-1)
	a.used.Add(1)
	return n
}

// release takes pages back, all under one hold of the lock: a list of millions of
// peers has thousands of them, and goes at once where its torrent is refused.
func (a *arena) release(pages ...uint32) {
	a.mu.Lock()
	for _, n := range pages {
		r, w, bit := int(n/regionPages), n%regionPages/64, uint64(1)<<(n%64)
		a.info[r].free[w] |= bit
		a.info[r].warm[w] |= bit
		a.info[r].frees++
		a.hint = min(a.hint, r)
	}
	a.warm += len(pages)
	a.mu.Unlock()
	a.free.Add(int64(len(pages)))
	a.used.Add(-int64(len(pages)))
}

// trim gives resident free pages of one region back to the system, where there
// are more than a 32nd of those in use and keepPages. It reports whether
// there may be more to do; the call after that starts anew. Only the taking and
// the giving back of pages is under the lock, not the system's part.
func (a *arena) trim() (more bool) {
	a.mu.Lock()
	if a.trims == 0 {
		a.trims = len(a.info)
	}
	if a.trims == 0 || a.warm <= keepPages+int(a.used.Load()/32) {
		a.trims = 0
		a.mu.Unlock()
		return false
	}
	a.trims--
	r := a.trims
	info := &a.info[r]
	take := info.warm
	taken := 0
	for w := range take {
		info.free[w] &^= take[w]
		info.warm[w] = 0
		taken += bits.OnesCount64(take[w])
	}
	info.frees -= taken
	a.warm -= taken
	if a.free.Add(-int64(taken)) < headroom {
		a.addRegion() // addresses without memory; without them announces do with what there is
	}
	more = a.trims > 0
	a.mu.Unlock()
	if taken == 0 {
		return more
	}
	for from := 0; from < regionPages; {
		if take[from/64]&(1<<(from%64)) == 0 {
			from++
			continue
		}
		to := from + 1
		for to < regionPages && take[to/64]&(1<<(to%64)) != 0 {
			to++
		}
		adviseUnused(a.regions[r][from:to])
		from = to
	}
	a.mu.Lock()
	for w := range take {
		info := &a.info[r]
		info.free[w] |= take[w]
	}
	a.info[r].frees += taken
	a.hint = min(a.hint, r)
	a.mu.Unlock()
	a.free.Add(int64(taken))
	return more
}
