package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string // empty when the value is a default
	Line int    // 0 when the key is not in the file
	// Key is the key as it stands in a file, with its section: "[network]
	// use_ipv4", "[[listeners]] address" or "log_level".
	Key   string
	Value string // as in the file; empty when there is none to show
	Text  string // what is wrong, and what would be right
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

// Problems is an error that holds everything that is wrong with a
// configuration, in the order of the file.
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

// source is what a loaded configuration knows of its file.
type source struct {
	file string
	keys map[string]place // by path, such as "network", "network.use_ipv4" or "listeners[0].address"
}

// place is where a key stands and what it says there.
type place struct {
	line  int
	value string
}

// File returns the path that the configuration was loaded from, or "".
func (c *Config) File() string { return c.source.file }

// IsSet reports whether the file gives the key at path ("network.use_ipv6").
func (c *Config) IsSet(path string) bool {
	_, found := c.source.keys[path]
	return found
}

// Problem returns a problem of the key at path ("network.address_ipv4",
// "listeners[0].address"), with its file, and its line
// or its section's where the file has one.
func (c *Config) Problem(path, format string, args ...any) Problem {
	p := Problem{File: c.source.file, Key: displayKey(path), Text: fmt.Sprintf(format, args...)}
	if at, found := c.source.keys[path]; found {
		p.Line, p.Value = at.line, at.value
	} else if i := strings.LastIndexByte(path, '.'); i > 0 {
		p.Line = c.source.keys[path[:i]].line
	}
	return p
}

// displayKey turns a path into the key as a file has it.
func displayKey(path string) string {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return displaySection(path)
	}
	return displaySection(path[:i]) + " " + path[i+1:]
}

// displaySection turns the path of a table into its header, and leaves a
// top-level key as it is.
func displaySection(path string) string {
	if isSection(path) {
		return "[" + path + "]"
	}
	if name, _, isElement := strings.Cut(path, "["); isElement {
		return "[[" + name + "]]"
	}
	return path
}
