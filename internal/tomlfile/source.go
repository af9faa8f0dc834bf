package tomlfile

import (
	"fmt"
	"strings"
)

// A Source is what is known of the file that values came from. The zero Source is
// that of values that came from none.
type Source struct {
	file string
	keys map[string]place // by path, such as "network", "network.use_ipv4" or "listeners[0].address"
}

// place is where a key stands and what it says there.
type place struct {
	line  int
	value string
}

// File returns what the file is called, or "".
func (s *Source) File() string { return s.file }

// IsSet reports whether the file gives the key at path ("network.use_ipv6").
func (s *Source) IsSet(path string) bool {
	_, found := s.keys[path]
	return found
}

// StandsFor makes the place of the key at path that of another one too, which the
// file does not give.
func (s *Source) StandsFor(path, other string) { s.keys[other] = s.keys[path] }

// Problem returns a problem of the key at path ("network.address_ipv4",
// "listeners[0].address"), with its file, and its line or that of the section around
// it.
func (s *Source) Problem(path, format string, args ...any) Problem {
	p := Problem{Key: DisplayKey(path), Text: fmt.Sprintf(format, args...), path: path}
	s.locate(&p)
	return p
}

// locate fills in where a problem is.
func (s *Source) locate(p *Problem) {
	p.File = s.file
	if value := s.keys[p.path].value; value != "" {
		p.Value = value
	}
	for path := p.path; path != "" && p.Line == 0; path = path[:max(0, strings.LastIndexByte(path, '.'))] {
		p.Line = s.keys[path].line
	}
}

// Merge returns problems with those of more whose keys have none yet: what does not
// go together follows from what is wrong by itself.
func (s *Source) Merge(problems, more Problems) Problems {
	for _, p := range more {
		if p.path == "" || !problems.Has(p.path) {
			s.locate(&p)
			problems = append(problems, p)
		}
	}
	return problems
}
