package daemon

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/config"
	"spate/internal/swarm"
)

// keeping returns the configuration of a tracker with a snapshot.
func keeping(path string) config.Config {
	cfg := loopback()
	cfg.Snapshot.Path = path
	return cfg
}

// scrape returns the reply to a scrape of the tests' torrent.
func scrape(t *testing.T, d *Daemon) string {
	t.Helper()
	return get(t, "http://"+d.Addrs()[0].String()+"/scrape?info_hash="+escaped(hash))
}

func escaped(hash string) string {
	var b strings.Builder
	for i := range len(hash) {
		b.WriteString("%")
		b.WriteByte("0123456789abcdef"[hash[i]>>4])
		b.WriteByte("0123456789abcdef"[hash[i]&15])
	}
	return b.String()
}

func TestSwarmsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	var before string
	t.Run("first life", func(t *testing.T) {
		d := start(t, keeping(path), nil)
		announce(t, d.Addrs()[0], "1000")
		announce(t, d.Addrs()[1], "2000")
		get(t, "http://"+d.Addrs()[0].String()+"/announce?port=3000&left=0&event=completed&info_hash="+escaped(hash))
		before = scrape(t, d)
	})
	if !strings.Contains(before, "8:completei1e10:downloadedi1e11:downloadersi2e10:incompletei2e") {
		t.Fatalf("the first tracker says %q", before)
	}
	t.Run("second life", func(t *testing.T) {
		var text lockedBuilder
		d := start(t, keeping(path), &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
		if got := scrape(t, d); got != before {
			t.Errorf("the second tracker says %q, the first said %q", got, before)
		}
		if got := announce(t, d.Addrs()[0], "4000"); !strings.Contains(got, "\x7f\x00\x00\x01\x03\xe8") {
			t.Errorf("the peers of the first tracker are not in %q", got)
		}
		if !strings.Contains(text.String(), "torrents=1 peers=3") {
			t.Errorf("the log does not say what was loaded:\n%s", text.String())
		}
	})
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("%v were left behind", left)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the snapshot has mode %v, %v: client addresses are nobody else's business", info.Mode(), err)
	}
}

func TestDamagedSnapshotIsPutAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	t.Run("first life", func(t *testing.T) { announce(t, start(t, keeping(path), nil).Addrs()[0], "1000") })
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"cut":     whole[:len(whole)-3],
		"changed": append([]byte{whole[0] ^ 1}, whole[1:]...),
		"empty":   {},
		"text":    []byte("this is no snapshot, but somebody's notes"),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var text lockedBuilder
			d := start(t, keeping(path), &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
			announce(t, d.Addrs()[0], "2000")
			if aside, err := os.ReadFile(path + damaged); err != nil || string(aside) != string(content) {
				t.Errorf("the file was not put aside as it was: %v", err)
			}
			if !strings.Contains(text.String(), "damaged") || !strings.Contains(text.String(), "level=ERROR") {
				t.Errorf("the log does not say so:\n%s", text.String())
			}
		})
	}
}

func TestSnapshotThatCannotBeKeptStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "file"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "swarms.lock"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("none", filepath.Join(dir, "linked.lock")); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no lock":           filepath.Join(dir, "swarms"),
		"lock elsewhere":    filepath.Join(dir, "linked"),
		"symbolic link":     filepath.Join(dir, "link"),
		"no directory":      filepath.Join(dir, "none", "swarms"),
		"file as directory": filepath.Join(dir, "file", "swarms"),
		"directory":         dir,
		"ends in a slash":   dir + "/",
		"parent":            dir + "/..",
		"root":              "/",
	} {
		t.Run(name, func(t *testing.T) {
			d, err := New(keeping(path), Build{}, nil)
			if err == nil {
				d.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), "[snapshot] path") {
				t.Errorf("the error names no key: %v", err)
			}
		})
	}
}

// newKeeper returns a keeper of a store with one peer.
func newKeeper(t *testing.T, path string, log *Log) *keeper {
	t.Helper()
	store, err := swarm.New(swarm.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var r bittorrent.AnnounceReply
	store.Announce(0, &bittorrent.Announce{Addr: loopback().Network.AddressIPv4.Addr(), Port: 1000}, &r)
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	start := time.Now()
	return &keeper{
		store: store, clock: func() time.Duration { return time.Since(start) }, log: log, limited: log.Logger, dir: dir,
		path: path, name: filepath.Base(path), interval: time.Minute, noted: writes{good: true},
	}
}

func TestAFailedWriteLeavesTheOldSnapshot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	var text lockedBuilder
	k := newKeeper(t, path, &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
	if err := k.write(t.Context(), k.limited); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What stands in the way of the new file makes every write fail.
	if err := os.MkdirAll(filepath.Join(path+unfinished, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := k.write(t.Context(), k.limited); err == nil {
		t.Error("a write that cannot work worked")
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the old snapshot is gone: %v", err)
	}
	if !strings.Contains(text.String(), "the old one stays") {
		t.Errorf("the log does not say so:\n%s", text.String())
	}
	if w := k.writes(); w.ok != 1 || w.failed != 1 || w.good || w.size != int64(len(before)) || time.Since(w.last) > time.Hour {
		t.Errorf("the writes are said to be %+v", w)
	}
	if err := os.RemoveAll(path + unfinished); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 1} { // the log says once that it is well again
		if err := k.write(t.Context(), k.limited); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(text.String(), "a snapshot is written"); got != want {
			t.Errorf("the log says %d times that it is written:\n%s", got, text.String())
		}
	}
}

// TestSnapshotBesideOddFiles: what has a name of ours is replaced, or tells at the
// start that it cannot be. To open a FIFO would keep the start, and the stop, waiting.
func TestSnapshotBesideOddFiles(t *testing.T) {
	odd := map[string]func(path string) error{
		"FIFO":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"link":      func(path string) error { return os.Symlink("elsewhere", path) },
		"loop":      func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"directory": func(path string) error { return os.MkdirAll(filepath.Join(path, "with", "files"), 0o700) },
	}
	for kind, makeOdd := range odd {
		for _, ending := range []string{"", unfinished, probe, locked} {
			t.Run(kind+ending, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "swarms")
				if err := makeOdd(path + ending); err != nil {
					t.Fatal(err)
				}
				refused := ending == "" || ending == locked || kind == "directory"
				_, err := Check(keeping(path), Build{})
				if (err != nil) != refused {
					t.Errorf("a check says %v", err)
				}
				d, err := New(keeping(path), Build{}, nil)
				if refused {
					if err == nil {
						d.Close()
					}
					if err == nil || !strings.Contains(err.Error(), "[snapshot] path") {
						t.Errorf("a start says %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				stop()
				if err := d.Run(ctx); err != nil {
					t.Error(err)
				}
				if left, err := filepath.Glob(filepath.Dir(path) + "/*"); err != nil || !slices.Equal(left, []string{path}) {
					t.Errorf("afterwards there are %v, %v", left, err)
				}
			})
		}
	}
}

func TestSnapshotIsWrittenEveryInterval(t *testing.T) {
	path := filepath.Join(t.TempDir(), "swarms")
	k := newKeeper(t, path, &Log{Logger: slog.New(slog.DiscardHandler)})
	synctest.Test(t, func(t *testing.T) {
		go k.run(t.Context())
		for round := range 3 {
			time.Sleep(k.interval)
			synctest.Wait()
			if _, err := os.Stat(path); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestTrialsAtTheSameTime: a check that runs while a tracker starts does not keep it
// from that.
func TestTrialsAtTheSameTime(t *testing.T) {
	k := newKeeper(t, filepath.Join(t.TempDir(), "swarms"), &Log{Logger: slog.New(slog.DiscardHandler)})
	var trials sync.WaitGroup
	for range 8 {
		trials.Go(func() {
			for range 200 {
				if err := k.writable(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	trials.Wait()
	if _, err := k.dir.Lstat(k.name + probe); err == nil {
		t.Error("a trial was left behind")
	}
}

// TestSnapshotFollowsItsDirectory: one that was moved away, and made anew, has the next
// snapshot where the next start will look for it.
func TestSnapshotFollowsItsDirectory(t *testing.T) {
	home := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(home, "swarms")
	var text lockedBuilder
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	k := newKeeper(t, path, &Log{Logger: slog.New(slog.NewTextHandler(&text, nil))})
	k.home = home
	if err := k.write(t.Context(), k.limited); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(home, home+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := k.write(t.Context(), k.limited); err == nil || !strings.Contains(err.Error(), home+": no such file") {
		t.Errorf("without the directory it says %v", err)
	}
	for range 2 {
		if err := os.MkdirAll(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := k.write(t.Context(), k.limited); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(text.String(), "another one now"); got != 1 {
		t.Errorf("the log says %d times that the directory is another one:\n%s", got, text.String())
	}
	if err := snapshotKept(k.dir, k.name); err != nil || k.lock == nil {
		t.Errorf("the lock was left behind: %v", err)
	}
	k.close()
}
