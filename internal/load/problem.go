package load

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"spate/internal/tomlfile"
)

// problems collects what is wrong with a configuration.
type problems struct {
	prefix string // before all keys: "workloads[2].load." in a plan of spate-bench
	found  tomlfile.Problems
}

func (p *problems) add(key string, value any, need string) {
	if s, ok := value.(string); ok {
		value = fmt.Sprintf("%q", s)
	}
	p.found.Add(p.prefix+key, "needs %s", need)
	p.found[len(p.found)-1].Value = fmt.Sprint(value)
}

// between reports a value outside low to high.
func (p *problems) between(key string, value, low, high int) {
	switch {
	case value < low:
		p.add(key, value, fmt.Sprintf("a number of at least %d", low))
	case value > high:
		p.add(key, value, fmt.Sprintf("a number of at most %d", high))
	}
}

// The conditions are written so that NaN fails them.

func (p *problems) share(key string, value float64) {
	if !(value >= 0 && value <= 1) {
		p.add(key, value, "a number from 0 to 1")
	}
}

func (p *problems) positive(key string, value float64) {
	if !(value > 0) || math.IsInf(value, 1) {
		p.add(key, value, "a number above 0")
	}
}

func (p *problems) oneOf(key, value string, set ...string) {
	if !slices.Contains(set, value) {
		p.add(key, value, "one of "+strings.Join(set, ", "))
	}
}
