package daemon

import (
	"context"
	"os"
	"time"
)

// watchEvery is how often files are looked at. Polling a few names costs nothing
// and works everywhere: on network file systems, through symbolic links that are
// exchanged, and after a change of the root directory.
const watchEvery = 2 * time.Second

// A watcher calls changed when one of its files is another one than at the last
// call and has stayed the same since the last look, so that a file that is still
// being written is left alone.
type watcher struct {
	paths   []string
	changed func()

	loaded []os.FileInfo // nil elements are files that are not there
	seen   []os.FileInfo
}

// newWatcher returns a watcher for files that have just been loaded.
func newWatcher(paths []string, changed func()) *watcher {
	w := &watcher{paths: paths, changed: changed}
	w.loaded = w.look()
	w.seen = w.loaded
	return w
}

// run watches until ctx is done.
func (w *watcher) run(ctx context.Context) {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			w.poll()
		}
	}
}

// poll looks at the files once.
func (w *watcher) poll() {
	now := w.look()
	if !same(now, w.loaded) && same(now, w.seen) {
		w.loaded = now
		w.changed()
	}
	w.seen = now
}

func (w *watcher) look() []os.FileInfo {
	infos := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func same(a, b []os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size() {
			return false
		}
	}
	return true
}
