package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"spate/internal/spelling"
)

// fieldOf returns the field of a struct that has the TOML name, or the zero
// Value.
func fieldOf(v reflect.Value, name string) reflect.Value {
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// tagOf returns the tag of the field at path below root.
func tagOf(root reflect.Value, path string) reflect.StructTag {
	t := root.Type()
	var tag reflect.StructTag
	for name := range strings.SplitSeq(path, ".") {
		name, _, _ = strings.Cut(name, "[")
		if t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		for i := range t.NumField() {
			if t.Field(i).Tag.Get("toml") == name {
				tag, t = t.Field(i).Tag, t.Field(i).Type
				break
			}
		}
	}
	return tag
}

// isText reports whether a field reads itself from a string.
func isText(field reflect.Value) bool {
	return field.CanAddr() && reflect.PointerTo(field.Type()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// isTableList reports whether a field is an array of tables.
func isTableList(field reflect.Value) bool {
	return field.Kind() == reflect.Slice && slices.Contains(
		[]reflect.Type{reflect.TypeFor[Listener](), reflect.TypeFor[Certificate]()}, field.Type().Elem())
}

// newElement returns an element of an array of tables with its defaults.
func newElement(t reflect.Type) reflect.Value {
	if t == reflect.TypeFor[Listener]() {
		return reflect.ValueOf(DefaultListener())
	}
	return reflect.Zero(t)
}

// isSection reports whether path names a section: [network], [tls], [tls.acme].
func isSection(path string) bool {
	f := reflect.ValueOf(Config{})
	for name := range strings.SplitSeq(path, ".") {
		f = fieldOf(f, name)
	}
	return f.IsValid() && f.Kind() == reflect.Struct
}

// names returns the TOML names of a struct's fields.
func names(t reflect.Type) (all []string) {
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("toml"); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// suggestKey says which section has the key, or which key of this one was meant; ""
// when nothing is near.
func suggestKey(t table, name string) string {
	root := reflect.TypeFor[Config]()
	for i := range root.NumField() {
		f := root.Field(i)
		section := f.Tag.Get("toml")
		if section == name && !isTable(f.Type) {
			return fmt.Sprintf("; %s belongs before the first section", name)
		}
		if f.Type.Kind() == reflect.Struct && section != "" && slices.Contains(names(f.Type), name) {
			return fmt.Sprintf("; did you mean [%s] %s?", section, name)
		}
	}
	if near := spelling.Nearest(name, names(t.value.Type())); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// suggestSection says which section was meant by a name in a header, which follows
// t's; "" when nothing is near.
func suggestSection(t table, name string) string {
	var sections []string
	for i := range t.value.NumField() {
		if f := t.value.Type().Field(i); f.Tag.Get("toml") != "" && isTable(f.Type) {
			sections = append(sections, f.Tag.Get("toml"))
		}
	}
	near := spelling.Nearest(name, sections)
	if near == "" {
		return ""
	}
	path := join(t.path, near)
	if isTableList(fieldOf(t.value, near)) {
		return fmt.Sprintf("; did you mean [[%s]]?", path)
	}
	return fmt.Sprintf("; did you mean [%s]?", path)
}
