package daemon

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// reclaimEvery is how often the heap is looked at, and reclaimPause how long
	// nothing is done after a collection.
	reclaimEvery = time.Second
	reclaimPause = 5 * time.Second
	// reclaimFrom is how many bytes that nobody uses are worth a collection. They
	// also have to be at least a part of what is in use: one in reclaimShare.
	reclaimFrom  = 4 << 20
	reclaimShare = 4
	// reclaimLead is for how many looks the unused memory would have to last at the
	// rate at which it was allocated since the last one: otherwise it is about to be
	// used again.
	reclaimLead = 10
)

// A reclaimer gives memory back to the system that the Go runtime holds and
// nobody uses. The runtime lets garbage double the heap before it collects, and
// keeps the room for the next time: after 10,000 TLS handshakes that is as much
// as the connections themselves take.
type reclaimer struct {
	samples   []metrics.Sample
	allocated uint64 // by the last look, since the start
}

// heapUse is the state of the heap, in bytes.
type heapUse struct {
	allocated uint64 // since the start
	live      uint64 // in use when garbage was last collected
	held      uint64 // in objects, garbage among them, and free, but not given back
}

func newReclaimer() *reclaimer {
	return &reclaimer{samples: []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}}
}

// run looks until ctx is done.
func (r *reclaimer) run(ctx context.Context) {
	timer := time.NewTimer(reclaimEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		next := reclaimEvery
		if r.pays(r.read()) {
			debug.FreeOSMemory()
			next = reclaimPause
		}
		timer.Reset(next)
	}
}

func (r *reclaimer) read() heapUse {
	metrics.Read(r.samples)
	s := r.samples
	return heapUse{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64() + s[3].Value.Uint64()}
}

// pays reports whether a collection now gives back enough, for long enough.
func (r *reclaimer) pays(now heapUse) bool {
	recent := now.allocated - r.allocated
	r.allocated = now.allocated
	if now.held < now.live {
		return false
	}
	spare := now.held - now.live
	return spare >= max(reclaimFrom, now.live/reclaimShare) && recent < spare/reclaimLead
}
