package load

import (
	"math"
	"math/rand/v2"
)

// gammaMax is the sample at which aquatic_http_load_test cuts its gamma
// distribution off. All samples from here up fall on the last torrent.
const gammaMax = 101.0

// skew picks torrents, by default as aquatic_http_load_test does: a gamma-distributed
// sample, cut off at gammaMax, is scaled to the torrents. A sample of 1 or less
// picks the first torrent, which with the default shape 0.2 and scale 100 takes
// 43 % of all requests.
type skew struct {
	distribution string
	shape, scale float64
	last         int // index of the last torrent
}

// The values of TorrentConfig.Distribution.
const (
	distributionGamma    = "gamma"
	distributionEven     = "even"
	distributionLongTail = "long-tail"
)

// pick returns a torrent's index, 0 to s.last.
func (s *skew) pick(rng *rand.Rand) int {
	switch s.distribution {
	case distributionEven:
		return rng.IntN(s.last + 1)
	case distributionLongTail:
		u := rng.Float64()
		return int(u * u * u * float64(s.last+1))
	}
	p := (math.Min(gammaSample(rng, s.shape)*s.scale, gammaMax) - 1) / (gammaMax - 1)
	if p <= 0 {
		return 0
	}
	return int(p * float64(s.last))
}

// gammaSample draws from the gamma distribution of the given shape and scale 1
// (Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000;
// shapes below 1 by their note on boosting).
func gammaSample(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		// 1-Float64() lies in (0, 1], so its power is never of zero.
		return gammaSample(rng, shape+1) * math.Pow(1-rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := rng.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		u := 1 - rng.Float64()
		if math.Log(u) < 0.5*x*x+d*(1-v+math.Log(v)) {
			return d * v
		}
	}
}
