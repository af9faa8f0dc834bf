package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// written returns the path of a snapshot and what is in it.
func written(t *testing.T) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "swarms")
	t.Run("first life", func(t *testing.T) { announce(t, start(t, keeping(path), nil).Addrs()[0], "1000") })
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

// unchanged fails unless the snapshot is as it was, and alone.
func unchanged(t *testing.T, path string, content []byte) {
	t.Helper()
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
		t.Errorf("the snapshot has %d bytes, %v, and had %d", len(now), err, len(content))
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("there is %v besides", left)
	}
}

// A trip is a source in which something happens before its last bytes.
type trip struct {
	r    io.Reader
	left int // bytes until then
	do   func() error
}

func (t *trip) Close() error { return nil }

func (t *trip) Read(b []byte) (int, error) {
	if t.left--; t.left == 0 {
		if err := t.do(); err != nil {
			return 0, err
		}
	}
	return t.r.Read(b)
}

// TestStopWhileTheSnapshotIsLoaded: it is neither overwritten by the half that was
// loaded, nor taken for damaged because the rest was not read.
func TestStopWhileTheSnapshotIsLoaded(t *testing.T) {
	path, whole := written(t)
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	for name, tt := range map[string]struct {
		content []byte
		after   int // bytes
	}{
		"before":         {whole, 0},
		"in the header":  {whole, 10},
		"in the middle":  {whole, len(whole) / 2},
		"at the end":     {whole, len(whole) - 1},
		"of damaged one": {bad, len(whole) - 1},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			var text lockedBuilder
			d, err := New(keeping(path), Build{}, &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if tt.after == 0 {
				stop()
			} else {
				d.keeper.source = &trip{r: iotest.OneByteReader(d.keeper.source), left: tt.after, do: func() error { stop(); return nil }}
			}
			if err := d.Run(ctx); err != nil {
				t.Errorf("Run says %v", err)
			}
			unchanged(t, path, tt.content)
			if log := text.String(); !strings.Contains(log, "stopped while the snapshot was loaded") || strings.Contains(log, "listening") {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
}

// TestSnapshotThatCannotBeReadOn: an error of the disk is none of the snapshot.
func TestSnapshotThatCannotBeReadOn(t *testing.T) {
	path, whole := written(t)
	d, err := New(keeping(path), Build{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is broken")
	d.keeper.source = &trip{r: iotest.OneByteReader(d.keeper.source), left: len(whole) / 2, do: func() error { return broken }}
	if err := d.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "[snapshot] path") || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("Run says %v", err)
	}
	unchanged(t, path, whole)
}

// TestSnapshotOfANewerVersion: it is kept as it is, and nobody calls it damaged.
func TestSnapshotOfANewerVersion(t *testing.T) {
	path, content := written(t)
	content[8]++ // the format's number follows eight letters
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	var text lockedBuilder
	t.Run("older version", func(t *testing.T) {
		d := start(t, keeping(path), &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		if got := announce(t, d.Addrs()[0], "2000"); strings.Contains(got, "\x7f\x00\x00\x01\x03\xe8") {
			t.Errorf("the newer version's peers are in %q", got)
		}
	})
	if aside, err := os.ReadFile(path + newer); err != nil || !bytes.Equal(aside, content) {
		t.Errorf("the file was not put aside as it was: %v", err)
	}
	if own, err := os.ReadFile(path); err != nil || own[8] != content[8]-1 {
		t.Errorf("no snapshot of this version was written: %v", err)
	}
	log := text.String()
	for _, want := range []string{"level=ERROR", "written by a newer version", "in format 2, and this one reads up to 1", path + newer, "stop this version, move it back and start the newer one"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "damaged") {
		t.Errorf("the log calls it damaged:\n%s", log)
	}
}

// TestSnapshotLargerThanTheStore: who has lowered a limit too far hears of it before the
// snapshot is written over.
func TestSnapshotLargerThanTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	t.Run("first life", func(t *testing.T) {
		d := start(t, keeping(path), nil)
		for _, other := range "0123456789" {
			get(t, "http://"+d.Addrs()[0].String()+"/announce?port=3000&left=1&info_hash="+escaped(hash[:19]+string(other)))
		}
	})
	for most, left := range map[int]string{0: "", 10: "", 3: "torrents_left_out=7 peers_left_out=7"} {
		cfg := keeping(path)
		cfg.Protocol.MaxTorrents = most
		var text lockedBuilder
		d, err := New(cfg, Build{}, &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if whole, err := d.restore(t.Context()); !whole || err != nil {
			t.Errorf("restore says %v, %v", whole, err)
		}
		d.Close()
		log := text.String()
		if !strings.Contains(log, left) || strings.Contains(log, "level=WARN") != (left != "") {
			t.Errorf("with room for %d torrents the log says\n%s", most, log)
		}
	}
}

// TestSnapshotOfAnotherUser: where only its owner may replace it, the start says so, and
// not every write.
func TestSnapshotOfAnotherUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	k := newKeeper(t, path, &Log{Logger: slog.New(slog.DiscardHandler)})
	us, other := os.Getuid(), os.Getuid()+1
	for _, tt := range []struct {
		there bool
		mode  os.FileMode
		uid   int
		says  string
	}{
		{false, 0o777 | os.ModeSticky, other, ""},
		{true, 0o777, other, ""},
		{true, 0o777 | os.ModeSticky, us, ""},
		{true, 0o777 | os.ModeSticky, 0, ""},
		{true, 0o777 | os.ModeSticky, other, "sticky bit"},
	} {
		if tt.there {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Dir(path), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := k.replaceable(tt.uid); (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
