package load

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSkewPutsTheKnownShareOnTheFirstTorrent(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := skew{shape: 0.2, scale: 100, last: 9_999}
	const n = 200_000
	first, last := 0, 0
	for range n {
		switch i := s.pick(rng); {
		case i == 0:
			first++
		case i == s.last:
			last++
		case i < 0 || i > s.last:
			t.Fatalf("picked torrent %d of 0..%d", i, s.last)
		}
	}
	// The regularised incomplete gamma function gives P(sample <= 1.01) = 0.4337
	// for the first torrent and P(sample >= 101) = 0.0516 for the last.
	if got := float64(first) / n; math.Abs(got-0.4337) > 0.005 {
		t.Errorf("first torrent took %.4f of all requests, want 0.4337", got)
	}
	if got := float64(last) / n; math.Abs(got-0.0516) > 0.005 {
		t.Errorf("last torrent took %.4f of all requests, want 0.0516", got)
	}
}

func TestGammaSampleHasTheRightMoments(t *testing.T) {
	for _, shape := range []float64{0.2, 1, 3.5} {
		rng := rand.New(rand.NewPCG(3, 4))
		const n = 200_000
		var sum, squares float64
		for range n {
			x := gammaSample(rng, shape)
			sum += x
			squares += x * x
		}
		mean := sum / n
		variance := squares/n - mean*mean
		if math.Abs(mean-shape) > 0.03*shape+0.003 {
			t.Errorf("shape %v: mean %v, want %v", shape, mean, shape)
		}
		if math.Abs(variance-shape) > 0.06*shape {
			t.Errorf("shape %v: variance %v, want %v", shape, variance, shape)
		}
	}
}
