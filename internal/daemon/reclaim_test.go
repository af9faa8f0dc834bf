package daemon

import "testing"

func TestReclaimer(t *testing.T) {
	const mib = 1 << 20
	r := newReclaimer()
	for _, step := range []struct {
		what string
		now  heapUse
		want bool
	}{
		{"handshakes go on", heapUse{allocated: 400 * mib, live: 80 * mib, held: 150 * mib}, false},
		{"calm", heapUse{allocated: 402 * mib, live: 80 * mib, held: 151 * mib}, true},
		{"given back", heapUse{allocated: 403 * mib, live: 80 * mib, held: 81 * mib}, false},
		{"too little for so large a heap", heapUse{allocated: 404 * mib, live: 80 * mib, held: 99 * mib}, false},
		{"used again soon", heapUse{allocated: 420 * mib, live: 80 * mib, held: 140 * mib}, false},
		{"a small heap", heapUse{allocated: 420 * mib, live: 4 * mib, held: 7 * mib}, false},
		{"most connections are gone", heapUse{allocated: 421 * mib, live: 4 * mib, held: 90 * mib}, true},
		{"collected meanwhile", heapUse{allocated: 421 * mib, live: 80 * mib, held: 60 * mib}, false},
	} {
		if got := r.pays(step.now); got != step.want {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
}

// TestReclaimerReads: the runtime has every figure that is asked for.
func TestReclaimerReads(t *testing.T) {
	ballast := make([][]byte, 0, 64)
	for range cap(ballast) {
		ballast = append(ballast, make([]byte, 1<<20))
	}
	use := newReclaimer().read()
	if use.allocated < 64<<20 || use.held < 64<<20 || use.live == 0 || use.live > use.allocated {
		t.Errorf("with %d MiB in use: %+v", len(ballast), use)
	}
}
