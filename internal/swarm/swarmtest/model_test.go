package swarmtest_test

import (
	"testing"

	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

func TestModel(t *testing.T) {
	swarmtest.Run(t, func(t testing.TB, cfg swarm.Config) swarmtest.Store {
		m, err := swarmtest.NewModel(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return m
	})
}
