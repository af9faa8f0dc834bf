package tomlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
)

// fieldOf returns the field of a table that has the TOML name, with its tag, or the
// zero Value.
func fieldOf(table reflect.Value, name string) (field reflect.Value, tag reflect.StructTag) {
	if table.Kind() != reflect.Struct {
		return reflect.Value{}, ""
	}
	for i := range table.NumField() {
		if f := table.Type().Field(i); f.Tag.Get("toml") == name {
			return table.Field(i), f.Tag
		}
	}
	return reflect.Value{}, ""
}

// isText reports whether a type reads itself from a string.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// IsTable reports whether a field of type t is a section of a file, or a list of
// sections where it is a slice.
func IsTable(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !isText(t)
}

// isTableList reports whether a field is an array of tables.
func isTableList(field reflect.Value) bool {
	return field.Kind() == reflect.Slice && IsTable(field.Type())
}

// NewElement returns an element of an array of tables, as it is before a file says
// anything of it: what a method SetDefaults of the type makes of it.
func NewElement(t reflect.Type) reflect.Value {
	element := reflect.New(t)
	if d, ok := element.Interface().(interface{ SetDefaults() }); ok {
		d.SetDefaults()
	}
	return element.Elem()
}

// names returns the TOML names of a table's fields, none of a map.
func names(t reflect.Type) (all []string) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("toml"); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// suggestKey says which section of root has the key, or which key of this one was
// meant; "" when nothing is near.
func suggestKey(root reflect.Type, t table, name string) string {
	for i := range root.NumField() {
		f := root.Field(i)
		section := f.Tag.Get("toml")
		if section == name && !IsTable(f.Type) {
			return fmt.Sprintf("; %s belongs before the first section", name)
		}
		if f.Type.Kind() == reflect.Struct && section != "" && slices.Contains(names(f.Type), name) {
			return fmt.Sprintf("; did you mean [%s] %s?", section, name)
		}
	}
	if near := nearest(name, names(t.value.Type())); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// suggestSection says which section was meant by a name in a header, which follows
// t's; "" when nothing is near.
func suggestSection(t table, name string) string {
	var sections []string
	for _, name := range names(t.value.Type()) {
		if field, _ := fieldOf(t.value, name); IsTable(field.Type()) {
			sections = append(sections, name)
		}
	}
	near := nearest(name, sections)
	if near == "" {
		return ""
	}
	path := withoutIndexes(Join(t.path, near))
	if field, _ := fieldOf(t.value, near); isTableList(field) {
		return fmt.Sprintf("; did you mean [[%s]]?", path)
	}
	return fmt.Sprintf("; did you mean [%s]?", path)
}

// Join returns the path of a key in the table at path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
