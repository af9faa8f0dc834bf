package load

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"spate/internal/spelling"
)

// A Document is a TOML file, or a table of one, that remembers in which line each
// key is.
type Document struct {
	Table  map[string]any
	prefix string         // of all keys in Table: "workloads[2].load."
	lines  map[string]int // by whole key, "workloads[2].load.duration"
}

// ParseTOML reads a file. Its error says in which line the file is no TOML.
func ParseTOML(data []byte) (*Document, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	d := &Document{lines: map[string]int{}}
	if err := toml.Unmarshal(data, &d.Table); err != nil {
		text := "is no valid TOML: " + strings.TrimPrefix(err.Error(), "toml: ")
		var wrong *toml.DecodeError
		if errors.As(err, &wrong) {
			row, _ := wrong.Position()
			return nil, &Problem{Line: row, Key: strings.Join(wrong.Key(), "."), Text: text}
		}
		return nil, &Problem{Text: text}
	}
	d.findLines(data)
	return d, nil
}

// findLines notes the line of each key.
func (d *Document) findLines(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	section, count := "", map[string]int{}
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			section = d.sectionOf(&p, e, count) + "."
		case unstable.ArrayTable:
			name := d.sectionOf(&p, e, count)
			section = fmt.Sprintf("%s[%d].", name, count[name])
			d.lines[strings.TrimSuffix(section, ".")] = d.lines[name]
			count[name]++
		case unstable.KeyValue:
			d.noteKey(&p, section, e)
		}
	}
}

// sectionOf returns the whole name of the section that a header begins. A name
// before the last that is a list of tables stands for its last element.
func (d *Document) sectionOf(p *unstable.Parser, e *unstable.Node, count map[string]int) string {
	name := ""
	for it := e.Key(); it.Next(); {
		if n := count[name]; n > 0 {
			name = fmt.Sprintf("%s[%d]", name, n-1)
		}
		if name != "" {
			name += "."
		}
		name += string(it.Node().Data)
		d.lines[name] = p.Shape(it.Node().Raw).Start.Line
	}
	return name
}

// noteKey notes the line of a key, and of those in its inline tables.
func (d *Document) noteKey(p *unstable.Parser, section string, e *unstable.Node) {
	name := section
	for it := e.Key(); it.Next(); {
		name += string(it.Node().Data)
		d.lines[name] = p.Shape(it.Node().Raw).Start.Line
		name += "."
	}
	if e.Value().Kind == unstable.InlineTable {
		for it := e.Value().Children(); it.Next(); {
			d.noteKey(p, name, it.Node())
		}
	}
}

// Sub returns the table of the given key, such as "workloads[2].load".
func (d *Document) Sub(key string, table map[string]any) *Document {
	return &Document{Table: table, prefix: d.prefix + key + ".", lines: d.lines}
}

// Into writes the document into v, a pointer to a struct, whose fields keep the
// values that the document does not give. Its error names every key that v does
// not have or whose value is of another type.
func (d *Document) Into(v any) error {
	var p problems
	p.check("", d.Table, reflect.TypeOf(v).Elem())
	if len(p) == 0 {
		text, err := toml.Marshal(d.Table)
		if err == nil {
			err = toml.Unmarshal(text, v)
		}
		return err
	}
	return d.Locate(errors.Join(p...))
}

// Locate completes the Problems in err, those that errors.Join joined included,
// with the document's lines, and sorts them by line.
func (d *Document) Locate(err error) error {
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, e := range all {
		var p *Problem
		if errors.As(e, &p) && p.Line == 0 {
			p.Key = d.prefix + p.Key
			p.Line = d.line(p.Key)
		}
	}
	slices.SortStableFunc(all, func(a, b error) int { return cmp.Compare(lineOf(a), lineOf(b)) })
	return errors.Join(all...)
}

// line returns the line of a key, or where it is missing, or an element of a
// list, that of what it belongs to. It is 0 where there is none.
func (d *Document) line(key string) int {
	for key != "" {
		if line := d.lines[key]; line > 0 {
			return line
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return 0
}

func lineOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Line
	}
	return 0
}

// check holds a table's keys and the types of its values against a struct.
func (p *problems) check(prefix string, table map[string]any, t reflect.Type) {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("toml"); name != "" {
			fields[name] = t.Field(i).Type
		}
	}
	for name, value := range table {
		if field, ok := fields[name]; ok {
			p.checkValue(prefix+name, value, field)
		} else {
			*p = append(*p, &Problem{Key: prefix + name, Text: "is no key here" + suggest(name, fields)})
		}
	}
}

// checkValue holds one value against the type that it has to have.
func (p *problems) checkValue(key string, value any, t reflect.Type) {
	kind := reflect.TypeOf(value).Kind()
	switch {
	case t.Kind() == reflect.Struct && kind == reflect.Map:
		p.check(key+".", value.(map[string]any), t)
	case t.Kind() == reflect.Map && kind == reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return
		}
		for name, element := range value.(map[string]any) {
			p.checkValue(key+"."+name, element, t.Elem())
		}
	case t.Kind() == reflect.Slice && kind == reflect.Slice:
		for i, element := range value.([]any) {
			p.checkValue(fmt.Sprintf("%s[%d]", key, i), element, t.Elem())
		}
	case t.Kind() == reflect.Float64 && (kind == reflect.Float64 || kind == reflect.Int64),
		t.Kind() == reflect.Int && kind == reflect.Int64,
		t.Kind() == kind && kind != reflect.Struct:
	default:
		*p = append(*p, &Problem{Key: key, Text: "needs " + typeName(t)})
	}
}

// typeName says what a value of a type looks like in a file.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text in quotes"
	case reflect.Slice:
		return "a list, in brackets"
	default:
		return "a section of its own"
	}
}

// suggest names the key that was meant, where one is near.
func suggest(name string, fields map[string]reflect.Type) string {
	near := spelling.Nearest(name, slices.Sorted(maps.Keys(fields)))
	if near == "" {
		return ""
	}
	return ": did you mean " + near + "?"
}
