//go:build linux

package main

import (
	"slices"
	"strings"
)

// twiceAsMuch returns a server with one loop on one core, which a generator is on as
// well, and the same with two of each. So a loop has half a core in both, and what the
// second costs is what the two share: with a generator on the other core, one loop would
// have a whole core, and less to do for each wake-up as two.
func (s *settings) twiceAsMuch(c contender) []contender {
	one, two := c, c
	one.name, two.name = c.name+"-1", c.name+"-2"
	one.cores, one.loads = []int{s.serverCore}, []int{s.serverCore}
	two.cores = []int{s.serverCore, s.clientCore}
	two.loads = two.cores
	two.config = strings.Replace(c.config, "socket_workers = 1", "socket_workers = 2", 1)
	if strings.Contains(c.name, "floor") {
		two.command = append(slices.Clip(c.command), "-loops", "2")
		steered := two
		steered.name += "-steered"
		steered.command = append(slices.Clip(two.command), "-steer")
		return []contender{one, two, steered}
	}
	return []contender{one, two}
}
