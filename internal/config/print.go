package config

import (
	"encoding"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"spate/internal/tomlfile"
)

// WriteDefault writes the default configuration as TOML, with a comment on each
// key. Loading it gives the default configuration.
func WriteDefault(w io.Writer) error {
	c := Default()
	p := printer{comments: true}
	p.line("# Configuration of Spate. These are the defaults: a key that is left out has")
	p.line("# the value below. Any configuration file of aquatic_http 0.9 works as well.")
	p.line("")
	p.table("", reflect.ValueOf(c))
	_, err := io.WriteString(w, p.b.String())
	return err
}

// Write writes c as TOML that loads to the same values. Secrets are replaced by
// "(not shown)".
func (c *Config) Write(w io.Writer) error {
	var p printer
	p.table("", reflect.ValueOf(*c))
	_, err := io.WriteString(w, p.b.String())
	return err
}

// notShown is printed instead of a secret.
const notShown = "(not shown)"

// printer writes TOML.
type printer struct {
	b        strings.Builder
	comments bool
	prefix   string // before every line
}

func (p *printer) line(s string) {
	p.b.WriteString(strings.TrimRight(p.prefix+s, " ") + "\n")
}

// doc writes a doc comment.
func (p *printer) doc(key string) {
	if !p.comments || docs[key] == "" {
		return
	}
	for l := range strings.SplitSeq(docs[key], "\n") {
		p.line("# " + l)
	}
}

// table writes the keys of a struct and then its sections.
func (p *printer) table(path string, v reflect.Value) {
	p.keys(v)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" || !tomlfile.IsTable(f.Type) {
			continue
		}
		at := tomlfile.Join(path, name)
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
		if name == "" || tomlfile.IsTable(f.Type) {
			continue
		}
		p.doc(v.Type().Name() + "." + f.Name)
		value := tomlValue(v.Field(i))
		if f.Tag.Get("secret") != "" && !v.Field(i).IsZero() {
			value = tomlString(notShown)
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
	if v.Len() > 0 || !p.comments {
		return
	}
	p.line("")
	p.doc(v.Type().Elem().Name())
	p.prefix = "#"
	p.line("[[" + path + "]]")
	p.keys(tomlfile.NewElement(v.Type().Elem()))
	p.prefix = ""
}

// tomlValue writes one value.
func tomlValue(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case []netip.Prefix:
		quoted := make([]string, len(value))
		for i, prefix := range value {
			quoted[i] = strconv.Quote(prefix.String())
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case []string:
		quoted := make([]string, len(value))
		for i, s := range value {
			quoted[i] = tomlString(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		if err != nil {
			text = nil // no marshaler of ours fails
		}
		return tomlString(string(text))
	}
	if v.Kind() == reflect.String {
		return tomlString(v.String())
	}
	return fmt.Sprint(v.Interface())
}

// tomlString quotes a string as TOML's basic strings want it.
func tomlString(s string) string {
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
