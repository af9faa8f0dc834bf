package config

import (
	"bytes"
	"reflect"
	"testing"

	"spate/internal/tomlfile"
)

func TestDefaultPrintLoadsBack(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDefault(&b); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("spate.toml", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	c.source = tomlfile.Source{}
	if want := Default(); !reflect.DeepEqual(c, want) {
		t.Errorf("loaded\n%+v\nwant\n%+v", c, want)
	}
}
