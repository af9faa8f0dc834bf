package config

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"spate/internal/tomlfile"
)

// update makes TestReference write its file; go generate gives it.
var update = flag.Bool("update", false, "write docs/configuration.md")

func TestReference(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	want := reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is stale: run go generate ./internal/config")
	}
}

// TestEveryKeyIsDocumented also holds that every number has bounds and every
// word its choices, or is free text.
func TestEveryKeyIsDocumented(t *testing.T) {
	var walk func(typ reflect.Type)
	walk = func(typ reflect.Type) {
		if docs[typ.Name()] == "" {
			t.Errorf("%s has no doc comment", typ.Name())
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := typ.Name() + "." + f.Name
			switch {
			case f.Tag.Get("toml") == "":
			case tomlfile.IsTable(f.Type) && f.Type.Kind() == reflect.Slice:
				walk(f.Type.Elem())
			case tomlfile.IsTable(f.Type):
				walk(f.Type)
			case docs[key] == "":
				t.Errorf("%s has no doc comment", key)
			case (f.Type.Kind() == reflect.Int || f.Type.Kind() == reflect.Int64) && f.Tag.Get("range") == "":
				t.Errorf("%s has no range", key)
			case f.Type.Kind() == reflect.Int && !fitsInt32(t, f.Tag):
				t.Errorf("%s is an int, which has 32 bits on some machines: its range needs an int64", key)
			case f.Type.Kind() == reflect.String && f.Type.Name() != "string" && f.Tag.Get("enum") == "":
				t.Errorf("%s has no choices", key)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// fitsInt32 reports whether the values that a key may have fit into 32 bits.
func fitsInt32(t *testing.T, tag reflect.StructTag) bool {
	t.Helper()
	var low, high int64
	if _, err := fmt.Sscanf(tag.Get("range"), "%d..%d", &low, &high); err != nil {
		t.Fatal(err)
	}
	return low >= math.MinInt32 && high <= math.MaxInt32
}

const referenceHead = `# Configuration reference

Written by ` + "`go generate ./internal/config`" + ` from the doc comments in
[config.go](../internal/config/config.go). ` + "`spate -p`" + ` prints the same as a file to
start from, and ` + "`spate check -c FILE`" + ` checks one without serving. Keys that a file
leaves out have the default below. Unknown keys and values out of range are refused,
all of them at once, with their lines. Any configuration file of aquatic_http 0.9
works as it is. Relative paths begin at the directory that the tracker is started in.
`

// reference returns the documentation of every key as Markdown.
func reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	referenceTable(&b, "", reflect.ValueOf(Default()))
	return b.String()
}

// referenceTable writes the keys of a section as a table, and then its sections.
func referenceTable(b *strings.Builder, path string, v reflect.Value) {
	t := v.Type()
	b.WriteString("\n| key | default | values | meaning |\n|---|---|---|---|\n")
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("toml"); name != "" && !tomlfile.IsTable(f.Type) {
			fmt.Fprintf(b, "| `%s` | `%s` | %s | %s |\n", name, tomlfile.PrintValue(v.Field(i)), values(f), cell(docs[t.Name()+"."+f.Name]))
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("toml")
		if name == "" || !tomlfile.IsTable(f.Type) {
			continue
		}
		at, element, brackets := tomlfile.Join(path, name), v.Field(i), "[%s]"
		if f.Type.Kind() == reflect.Slice {
			element, brackets = tomlfile.NewElement(f.Type.Elem()), "[[%s]]"
		}
		fmt.Fprintf(b, "\n## `"+brackets+"`\n\n%s\n", at, docs[element.Type().Name()])
		referenceTable(b, at, element)
	}
}

// values says what a key takes.
func values(f reflect.StructField) string {
	if enum := f.Tag.Get("enum"); enum != "" {
		return "`\"" + strings.Join(strings.Fields(enum), "\"`, `\"") + "\"`"
	}
	if r := f.Tag.Get("range"); r != "" {
		return strings.Replace(r, "..", " to ", 1)
	}
	switch {
	case f.Tag.Get("address") != "":
		return "address and port"
	case f.Type.Kind() == reflect.Bool:
		return "true, false"
	case f.Type.Kind() == reflect.Slice:
		return "list of strings"
	}
	return "string"
}

// cell fits a doc comment into a cell of a table.
func cell(doc string) string {
	return strings.ReplaceAll(strings.ReplaceAll(doc, "\n", " "), "|", `\|`)
}
