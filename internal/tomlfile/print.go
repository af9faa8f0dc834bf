package tomlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// NotShown is printed instead of a secret.
const NotShown = "(not shown)"

// Print returns a struct as TOML that decodes to the same values, but for those of
// fields with the tag secret. docs are comments on types and fields, by "Type" and
// "Type.Field", as docgen makes them; with nil there are none, and an empty array of
// tables is left out.
func Print(v any, docs map[string]string) string {
	p := printer{docs: docs}
	p.table("", reflect.Indirect(reflect.ValueOf(v)))
	return p.b.String()
}

// printer writes TOML.
type printer struct {
	b      strings.Builder
	docs   map[string]string
	prefix string // before every line
}

func (p *printer) line(s string) {
	p.b.WriteString(strings.TrimRight(p.prefix+s, " ") + "\n")
}

// doc writes a doc comment.
func (p *printer) doc(key string) {
	if p.docs[key] == "" {
		return
	}
	for l := range strings.SplitSeq(p.docs[key], "\n") {
		p.line("# " + l)
	}
}

// table writes the keys of a struct and then its sections.
func (p *printer) table(path string, v reflect.Value) {
	p.keys(v)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" || !IsTable(f.Type) {
			continue
		}
		at := Join(path, name)
		if f.Type.Kind() == reflect.Slice {
			p.tables(at, v.Field(i))
			continue
		}
		p.line("")
		p.doc(f.Type.Name())
		p.line("[" + at + "]")
		p.table(at, v.Field(i))
	}
}

// keys writes the keys of a struct that are no sections.
func (p *printer) keys(v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" || IsTable(f.Type) {
			continue
		}
		p.doc(v.Type().Name() + "." + f.Name)
		value := PrintValue(v.Field(i))
		if f.Tag.Get("secret") != "" && !v.Field(i).IsZero() {
			value = quote(NotShown)
		}
		p.line(name + " = " + value)
	}
}

// tables writes an array of tables. An empty one is shown as a comment.
func (p *printer) tables(path string, v reflect.Value) {
	for i := range v.Len() {
		p.line("")
		p.line("[[" + path + "]]")
		p.keys(v.Index(i))
	}
	if v.Len() > 0 || p.docs == nil {
		return
	}
	p.line("")
	p.doc(v.Type().Elem().Name())
	p.prefix = "#"
	p.line("[[" + path + "]]")
	p.keys(NewElement(v.Type().Elem()))
	p.prefix = ""
}

// PrintValue returns one value as a file has it.
func PrintValue(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			text = nil // no marshaler of ours fails
		}
		return quote(string(text))
	}
	switch v.Kind() {
	case reflect.Slice:
		all := make([]string, v.Len())
		for i := range all {
			all[i] = PrintValue(v.Index(i))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case reflect.Float64:
		text := strconv.FormatFloat(v.Float(), 'f', -1, 64)
		if !strings.ContainsAny(text, ".In") {
			text += ".0"
		}
		return strings.ToLower(text) // as TOML has inf and nan
	case reflect.String:
		return quote(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// quote returns a string as a basic string of TOML.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
