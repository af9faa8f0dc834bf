package tomlfile

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a file, or with values that may have come
// from one.
type Problem struct {
	File string // empty when the value is a default
	Line int    // 0 when the key is not in the file
	// Key is the key as it stands in a file, with its section: "[network]
	// use_ipv4", "[[listeners]] address" or "log_level".
	Key   string
	Value string // as in the file; empty when there is none to show
	Text  string // what is wrong, and what would be right

	path string // of the key, such as "listeners[0].address"; empty where there is none
}

// String returns `FILE:LINE: [SECTION] KEY = VALUE: TEXT`, without the parts
// that there are none of.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Key)
	if p.Value != "" {
		b.WriteString(" = " + p.Value)
	}
	if p.Key != "" {
		b.WriteString(": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Error makes a Problem an error; it is String.
func (p Problem) Error() string { return p.String() }

// Problems is an error that holds everything that is wrong with a file, in the
// order of the file.
type Problems []Problem

// Error returns one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns nil when there is no problem, and otherwise ps in the order of
// the file.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return a.Line - b.Line })
	return ps
}

// Add adds a problem of the key at path, whose place is not known yet.
func (ps *Problems) Add(path, format string, args ...any) {
	*ps = append(*ps, Problem{Key: DisplayKey(path), Text: fmt.Sprintf(format, args...), path: path})
}

// Has reports whether the key at path has a problem.
func (ps Problems) Has(path string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.path == path })
}

// DisplayKey turns a path into the key as a file has it: "[[listeners]] address" for
// "listeners[0].address", "[network] use_ipv4" for "network.use_ipv4".
func DisplayKey(path string) string {
	section, key := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		section, key = path[:i], path[i+1:]
	}
	switch {
	case strings.HasSuffix(key, "]"): // a table of its own
		return "[[" + withoutIndexes(path) + "]]"
	case section == "":
		return key
	case strings.HasSuffix(section, "]"):
		return "[[" + withoutIndexes(section) + "]] " + key
	}
	return "[" + withoutIndexes(section) + "] " + key
}

// withoutIndexes returns a path that does not say which elements of lists it leads
// through.
func withoutIndexes(path string) string {
	for {
		before, rest, found := strings.Cut(path, "[")
		if !found {
			return path
		}
		_, after, _ := strings.Cut(rest, "]")
		path = before + after
	}
}
