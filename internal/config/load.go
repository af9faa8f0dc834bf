package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"spate/internal/files"
)

// Load reads the configuration file at path. Keys that it does not give keep
// their defaults. Its error is a Problems with everything that is wrong:
// syntax, unknown keys, wrong types, values out of range, and values that do
// not go together.
func Load(path string) (Config, error) { return load(path, files.Read) }

// LoadAgain is Load for a tracker that runs, which must not wait for the other end of
// a FIFO: a path that is no regular file is a problem.
func LoadAgain(path string) (Config, error) { return load(path, files.ReadRegular) }

func load(path string, read func(string) ([]byte, error)) (Config, error) {
	data, err := read(path)
	if err != nil {
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return Config{}, Problems{{File: path, Text: fmt.Sprintf("cannot be read: %v", err)}}
	}
	return Parse(path, data)
}

// Parse is Load for a file that was already read. Name is what problems call it.
func Parse(name string, data []byte) (Config, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	c := Default()
	c.source = source{file: name, keys: map[string]place{}}

	// The first pass finds what is no TOML at all, doubled keys included; the
	// second one, which goes on after a problem, can then rely on the rest.
	var whole map[string]any
	if err := toml.Unmarshal(data, &whole); err != nil {
		return Config{}, Problems{syntaxProblem(name, data, err)}
	}
	d := decoder{config: &c, root: reflect.ValueOf(&c).Elem(), bad: map[string]bool{}}
	d.decode(data)
	d.oneAddress()
	d.check()
	if err := d.problems.Err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// decoder writes the values of a file into a Config and collects what is wrong.
type decoder struct {
	config   *Config
	root     reflect.Value
	parser   unstable.Parser
	problems Problems
	bad      map[string]bool // paths that have a problem already
}

// table is where the keys of the current section go.
type table struct {
	path  string        // "", "network", "listeners[0]"
	value reflect.Value // a struct; invalid in an unknown section, whose keys are skipped
}

func (d *decoder) decode(data []byte) {
	d.parser.Reset(data)
	current := table{value: d.root}
	for d.parser.NextExpression() {
		expr := d.parser.Expression()
		switch expr.Kind {
		case unstable.Table, unstable.ArrayTable:
			current = d.header(expr)
		case unstable.KeyValue:
			d.keyValue(current, expr)
		}
	}
}

// header finds the section that a [header] or [[header]] names.
func (d *decoder) header(expr *unstable.Node) table {
	names, line := d.key(expr)
	t := table{value: d.root}
	for i, name := range names {
		last := i == len(names)-1
		field := fieldOf(t.value, name)
		path := join(t.path, name)
		switch {
		case !field.IsValid():
			d.add(Problem{Line: line, Key: bracket(expr, names), Text: "there is no such section" + suggestSection(t, name)})
			return table{}
		case field.Kind() == reflect.Struct:
			t = table{path, field}
			if last && expr.Kind == unstable.ArrayTable {
				d.add(Problem{Line: line, Key: bracket(expr, names), Text: fmt.Sprintf("needs single brackets: [%s]", path)})
				return table{}
			}
		case isTableList(field):
			if last && expr.Kind == unstable.ArrayTable {
				field.Set(reflect.Append(field, newElement(field.Type().Elem())))
			} else if last || field.Len() == 0 {
				d.add(Problem{Line: line, Key: bracket(expr, names), Text: fmt.Sprintf("needs double brackets: [[%s]]", path)})
				return table{}
			}
			t = table{fmt.Sprintf("%s[%d]", path, field.Len()-1), field.Index(field.Len() - 1)}
		default:
			d.add(Problem{Line: line, Key: bracket(expr, names), Text: fmt.Sprintf("is a key and not a section: write %s = ...", name)})
			return table{}
		}
		d.config.source.keys[t.path] = place{line: line}
	}
	return t
}

// keyValue decodes one key of a section, also a dotted one.
func (d *decoder) keyValue(t table, expr *unstable.Node) {
	if !t.value.IsValid() {
		return
	}
	names, line := d.key(expr)
	for i, name := range names {
		field := fieldOf(t.value, name)
		path := join(t.path, name)
		switch {
		case !field.IsValid():
			d.add(Problem{Line: line, Key: displayKey(path), Text: "there is no such key" + suggestKey(t, name)})
			return
		case i == len(names)-1:
			d.assign(path, field, expr.Value(), line)
			return
		case field.Kind() != reflect.Struct:
			d.add(Problem{Line: line, Key: displayKey(path), Text: "has no keys of its own"})
			return
		}
		t = table{path, field}
	}
}

// key returns the parts of an expression's key, and its line.
func (d *decoder) key(expr *unstable.Node) (names []string, line int) {
	for it := expr.Key(); it.Next(); {
		node := it.Node()
		if line == 0 {
			line = d.parser.Shape(node.Raw).Start.Line
		}
		names = append(names, string(node.Data))
	}
	return names, line
}

// add notes a problem; its file is filled in.
func (d *decoder) add(p Problem) {
	p.File = d.config.source.file
	d.problems = append(d.problems, p)
}

func bracket(expr *unstable.Node, names []string) string {
	name := strings.Join(names, ".")
	if expr.Kind == unstable.ArrayTable {
		return "[[" + name + "]]"
	}
	return "[" + name + "]"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
