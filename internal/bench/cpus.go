package bench

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCPU is the highest processor number that a list may name.
const maxCPU = 1023

// parseCPUs reads a list of processors such as "0,2-3".
func parseCPUs(list string) ([]int, error) {
	var cpus []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
		low, err := strconv.Atoi(first)
		high := low
		if err == nil && isRange {
			high, err = strconv.Atoi(last)
		}
		if err != nil || low < 0 || high < low || high > maxCPU {
			return nil, fmt.Errorf("%q is no list of processors such as \"0\" or \"0,2-3\"", list)
		}
		for cpu := low; cpu <= high; cpu++ {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}
