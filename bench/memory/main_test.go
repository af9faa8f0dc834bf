//go:build !race && linux

package main

import "testing"

// TestBudget is a small row: the resident size of this process, which under the race
// detector, and where no /proc tells it, says nothing of the store.
func TestBudget(t *testing.T) {
	for _, six := range []bool{false, true} {
		line, _, err := measure(row{name: "test", torrents: 20_000, peers: 100_000, six: six})
		if err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		t.Log(line)
	}
}
