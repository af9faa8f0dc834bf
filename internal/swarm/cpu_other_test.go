//go:build !linux

package swarm_test

import (
	"testing"
	"time"
)

var begun = time.Now()

// Elsewhere wall time has to do.
func cpuTime(testing.TB) time.Duration    { return time.Since(begun) }
func threadTime(testing.TB) time.Duration { return time.Since(begun) }
