package load

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a file or a configuration.
type Problem struct {
	Line int    // in the file, or 0
	Key  string // whole, or ""
	Text string // what is wrong, and what would be right
}

// Error returns the problem on one line: "line 3: rate.ramp = -1: needs …".
func (p *Problem) Error() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + " " + text
	}
	if p.Line > 0 {
		text = fmt.Sprintf("line %d: %s", p.Line, text)
	}
	return text
}

// problems collects what is wrong with a configuration.
type problems []error

func (p *problems) add(key string, value any, need string) {
	if s, ok := value.(string); ok {
		value = fmt.Sprintf("%q", s)
	}
	*p = append(*p, &Problem{Key: key, Text: fmt.Sprintf("= %v: needs %s", value, need)})
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
