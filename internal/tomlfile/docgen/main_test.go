package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	for _, room := range []string{"config", "load"} {
		dir := filepath.Join("..", "..", room)
		want, err := generate(filepath.Join(dir, source))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, target))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s of %s is stale: run go generate ./internal/%s", target, room, room)
		}
	}
}
