package swarm_test

import (
	"testing"

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
