// Package tomlfile decodes TOML files strictly: everything that is wrong with a file is
// found at once, and told with its line, its key and what would be right. ADR 0070 says
// why the library's decoder does not do.
//
// Values go into structs, whose fields have these tags:
//
//	toml:"NAME"        the key or section; a field without it is none
//	range:"LOW..HIGH"  the bounds of an integer, inclusive
//	enum:"A B C"       the words that a string may be
//	address:"4"        for a netip.AddrPort: "4", "6" or "any", the family it needs
//	example:"TEXT"     for a []string: what an element may look like
//	secret:"yes"       no problem shows the value
//
// A field that unmarshals itself from text takes a string, and an integer too where it
// has a method UnmarshalInteger(int64) error. Errors of both say what the value needs
// to be: "needs …".
package tomlfile

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Decode writes the values in data into v, a pointer to a struct, whose fields keep
// what they have where data does not give their key. Problems call the file name. With
// any problem, which of the values were written is left open.
func Decode(name string, data []byte, v any) (Source, Problems) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := decoder{root: reflect.ValueOf(v).Elem(), source: Source{file: name, keys: map[string]place{}}}

	// The first pass finds what is no TOML at all, doubled keys included; the
	// second one, which goes on after a problem, can then rely on the rest.
	var whole map[string]any
	if err := toml.Unmarshal(data, &whole); err != nil {
		return d.source, Problems{syntaxProblem(name, data, err, d.root.Type())}
	}
	d.decode(data)
	return d.source, d.problems
}

// decoder writes the values of a file into root and collects what is wrong.
type decoder struct {
	root     reflect.Value // a struct
	parser   unstable.Parser
	source   Source
	problems Problems
}

// table is where the keys of the current section go.
type table struct {
	path  string        // "", "network", "listeners[0]"
	value reflect.Value // a struct or map; invalid in an unknown section, whose keys are skipped
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
	problem := func(format string, args ...any) table {
		d.add(Problem{Line: line, Key: bracket(expr, names), Text: fmt.Sprintf(format, args...)})
		return table{}
	}
	t := table{value: d.root}
	for i, name := range names {
		list := i == len(names)-1 && expr.Kind == unstable.ArrayTable
		field, _ := fieldOf(t.value, name)
		path := Join(t.path, name)
		switch {
		case !field.IsValid():
			return problem("there is no such section%s", suggestSection(t, name))
		case isTableList(field) && list:
			field.Set(reflect.Append(field, NewElement(field.Type().Elem())))
			t = last(path, field)
		case isTableList(field) && (i == len(names)-1 || field.Len() == 0):
			return problem("needs double brackets: [[%s]]", withoutIndexes(path))
		case isTableList(field):
			t = last(path, field)
		case !isSection(field):
			return problem("is a key and not a section: write %s = ...", name)
		case list:
			return problem("needs single brackets: [%s]", withoutIndexes(path))
		default:
			t = table{path, field}
		}
		d.source.keys[t.path] = place{line: line}
	}
	return t
}

// last returns the newest element of an array of tables.
func last(path string, list reflect.Value) table {
	i := list.Len() - 1
	return table{fmt.Sprintf("%s[%d]", path, i), list.Index(i)}
}

// isSection reports whether a field has keys of its own.
func isSection(field reflect.Value) bool {
	return field.Kind() == reflect.Map || field.Kind() == reflect.Struct && !isText(field.Type())
}

// keyValue decodes one key of a section, also a dotted one.
func (d *decoder) keyValue(t table, expr *unstable.Node) {
	if !t.value.IsValid() {
		return
	}
	names, line := d.key(expr)
	for i, name := range names {
		isLast := i == len(names)-1
		path := Join(t.path, name)
		if t.value.Kind() == reflect.Map && isLast {
			d.mapValue(path, t.value, name, expr.Value(), line)
			return
		}
		field, tag := fieldOf(t.value, name)
		switch {
		case !field.IsValid():
			d.add(Problem{Line: line, Key: DisplayKey(path), Text: "there is no such key" + suggestKey(d.root.Type(), t, name)})
			return
		case isLast:
			d.assign(path, field, tag, expr.Value(), line)
			return
		case !isSection(field):
			d.add(Problem{Line: line, Key: DisplayKey(path), Text: "has no keys of its own"})
			return
		}
		t = table{path, field}
	}
}

// mapValue decodes one key of a table whose keys may have any name.
func (d *decoder) mapValue(path string, table reflect.Value, name string, node *unstable.Node, line int) {
	value := reflect.New(table.Type().Elem()).Elem()
	d.assign(path, value, "", node, line)
	if table.IsNil() {
		table.Set(reflect.MakeMap(table.Type()))
	}
	table.SetMapIndex(reflect.ValueOf(name), value)
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
	p.File = d.source.file
	d.problems = append(d.problems, p)
}

func bracket(expr *unstable.Node, names []string) string {
	name := strings.Join(names, ".")
	if expr.Kind == unstable.ArrayTable {
		return "[[" + name + "]]"
	}
	return "[" + name + "]"
}
