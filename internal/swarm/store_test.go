package swarm_test

import (
	"testing"
	"time"

	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// open makes a store for the suites, checked against what it promises at the end.
func open(t testing.TB, cfg swarm.Config) swarmtest.Store {
	s, err := swarm.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) { swarmtest.Run(t, open) }

func TestCompare(t *testing.T) {
	for seed := range uint64(4) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			swarmtest.Compare(t, open, compareConfig(seed), seed, 15_000)
		})
	}
}

// compareConfig returns one of several configurations by a seed.
func compareConfig(seed uint64) swarm.Config {
	cfg := swarmtest.Config()
	cfg.Seed = seed + 1
	cfg.Shards = 1 << (seed % 3)
	cfg.MaxPeersPerIP = []int{64, 0, 3, 256}[seed%4]
	cfg.DownloadedMemory = 20_000 * time.Second
	return cfg
}
