package config

import (
	"fmt"
	"reflect"

	"spate/internal/tomlfile"
)

// Diff returns the paths of the keys that differ between two configurations, in
// the order of the tree. An array of tables counts as one key.
func Diff(a, b *Config) []string {
	return diff("", reflect.ValueOf(*a), reflect.ValueOf(*b))
}

func diff(path string, a, b reflect.Value) (paths []string) {
	for i := range a.NumField() {
		f := a.Type().Field(i)
		name := f.Tag.Get("toml")
		switch {
		case name == "":
		case tomlfile.IsTable(f.Type) && f.Type.Kind() == reflect.Struct:
			paths = append(paths, diff(tomlfile.Join(path, name), a.Field(i), b.Field(i))...)
		case fmt.Sprint(a.Field(i)) != fmt.Sprint(b.Field(i)):
			paths = append(paths, tomlfile.Join(path, name))
		}
	}
	return paths
}
