package files

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWatchWaitsUntilAFileIsWhole(t *testing.T) {
	dir := t.TempDir()
	list, other := filepath.Join(dir, "list"), filepath.Join(dir, "other")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(list, "1")
	calls := 0
	w := NewWatch(list, other)
	want := func(n int, when string) {
		t.Helper()
		if w.Changed() {
			w.Note()
			calls++
		}
		if calls != n {
			t.Fatalf("%s: told %d times, want %d", when, calls, n)
		}
	}
	want(0, "nothing happened")
	write(list, "1\n2")
	want(0, "just changed")
	write(list, "1\n2\n3")
	want(0, "still changing")
	want(1, "settled")
	want(1, "known")
	write(other, "x")
	want(1, "a file appeared just now")
	want(2, "a file appeared")
	write(filepath.Join(dir, "new"), "1\n2\n3")
	if err := os.Rename(filepath.Join(dir, "new"), list); err != nil {
		t.Fatal(err)
	}
	want(2, "replaced just now")
	want(3, "replaced by one of the same size")
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	want(3, "gone just now")
	want(4, "gone")
}
