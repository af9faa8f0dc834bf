package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("file"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("file"), at("link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("huge"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(at("huge"), MaxSize+1); err != nil {
		t.Fatal(err)
	}
	inside, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	for _, c := range []struct {
		path string
		want error
	}{
		{at("file"), nil},
		{at("link"), nil},
		{at("none"), fs.ErrNotExist},
		{dir, ErrNotRegular},
		{at("fifo"), ErrNotRegular}, // nobody writes into it
		{"/dev/zero", ErrNotRegular},
		{at("huge"), ErrTooLarge},
	} {
		data, err := ReadRegular(c.path)
		if !errors.Is(err, c.want) || (err == nil) != (string(data) == "text") {
			t.Errorf("%s: %q, %v, want %v", c.path, data, err, c.want)
		}
		var named *os.PathError
		if err != nil && (!errors.As(err, &named) || named.Path != c.path || named.Op == "stat") {
			t.Errorf("%s: the error does not name the file: %v", c.path, err)
		}
		name, err := filepath.Rel(dir, c.path)
		if err != nil {
			t.Fatal(err)
		}
		data, err = ReadRegularIn(inside, name)
		if !filepath.IsLocal(name) || name == "link" { // an absolute link leads out, whatever it leads to
			if err == nil {
				t.Errorf("%s was read from inside %s", c.path, dir)
			}
		} else if !errors.Is(err, c.want) || (err == nil) != (string(data) == "text") {
			t.Errorf("%s in %s: %q, %v, want %v", name, dir, data, err, c.want)
		}
	}
}

func TestRead(t *testing.T) {
	if _, err := Read("/dev/zero"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file without an end: %v", err)
	}
	if data, err := Read(os.DevNull); err != nil || len(data) != 0 {
		t.Errorf("an empty device: %q, %v", data, err)
	}
}

func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	kept, made, nowhere := filepath.Join(dir, "kept"), filepath.Join(dir, "made"), filepath.Join(dir, "none", "file")
	if err := os.WriteFile(kept, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckWritable("", kept, made); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "text" {
		t.Errorf("what was there has become %q, %v", text, err)
	}
	if _, err := os.Stat(made); err != nil {
		t.Error(err)
	}
	for _, path := range []string{nowhere, dir} {
		var failed *fs.PathError
		if err := CheckWritable(kept, path); !errors.As(err, &failed) || failed.Path != path {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("a longer text"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := func(w io.Writer) error { _, err := io.WriteString(w, "text"); return err }
	if err := Write(path, text); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "text" {
		t.Errorf("it holds %q, %v", got, err)
	}
	failed := errors.New("no")
	if err := Write(path, func(io.Writer) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a failed write: %v", err)
	}
	var named *fs.PathError
	if err := Write("/dev/full", text); runtime.GOOS == "linux" && (!errors.As(err, &named) || named.Path != "/dev/full") {
		t.Errorf("a full disk: %v", err)
	}
	if err := Write(filepath.Join(path, "under"), text); !errors.As(err, &named) {
		t.Errorf("nowhere: %v", err)
	}
}
