package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// update makes TestReference write its file; go generate gives it.
var update = flag.Bool("update", false, "write docs/configuration.md")

func TestReference(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "configuration.md")
	var want bytes.Buffer
	if err := WriteReference(&want); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
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
			case isTable(f.Type) && f.Type.Kind() == reflect.Slice:
				walk(f.Type.Elem())
			case isTable(f.Type):
				walk(f.Type)
			case docs[key] == "":
				t.Errorf("%s has no doc comment", key)
			case f.Type.Kind() == reflect.Int && f.Tag.Get("range") == "":
				t.Errorf("%s has no range", key)
			case f.Type.Kind() == reflect.String && f.Type.Name() != "string" && f.Tag.Get("enum") == "":
				t.Errorf("%s has no choices", key)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}
