package daemon

import (
	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// newStore makes the store. The naive model stands in for it until swarm has
// one.
func newStore(c swarm.Config) (store, error) { return swarmtest.NewModel(c) }
