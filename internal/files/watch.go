package files

import "os"

// A Watch tells when files have changed and then rested, so that a file that is still
// being written, or a pair of which only one file is new yet, is left alone. Whoever
// has one polls it: that works on network file systems, through symbolic links that
// are exchanged, and after a change of the root directory. One goroutine at a time may
// use it.
type Watch struct {
	paths []string
	known []os.FileInfo // at the last Note; nil elements are files that are not there
	seen  []os.FileInfo // at the last look
}

// NewWatch returns a Watch of files, noted as they are now.
func NewWatch(paths ...string) *Watch {
	w := &Watch{paths: paths}
	w.Note()
	w.seen = w.known
	return w
}

// Note takes the files as they are now for known. It is called before they are read,
// so that a change in between is still to be told.
func (w *Watch) Note() { w.known = w.look() }

// Changed reports whether the files are others than at the last Note, and the same as
// at the last call.
func (w *Watch) Changed() bool {
	now := w.look()
	changed := !same(now, w.known) && same(now, w.seen)
	w.seen = now
	return changed
}

func (w *Watch) look() []os.FileInfo {
	infos := make([]os.FileInfo, len(w.paths))
	for i, path := range w.paths {
		if info, err := os.Stat(path); err == nil {
			infos[i] = info
		}
	}
	return infos
}

// same tells one content of files from another by inode, time and size.
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
