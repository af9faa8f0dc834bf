// Package access decides which torrents a tracker serves: a list of info hashes
// read from a file, which either names the torrents that are served or those
// that are not (the idea of BEP 27's private trackers, and of takedowns).
//
// The list in force is one immutable set behind an atomic pointer. A load that
// fails leaves it as it is.
package access

import (
	"sync"
	"sync/atomic"

	"spate/internal/bittorrent"
)

// Mode says what being on the list means.
type Mode uint8

// The modes.
const (
	ModeOff   Mode = iota // every torrent is served; no file is read
	ModeAllow             // only the torrents on the list are served
	ModeDeny              // all but the torrents on the list are served
)

// modes holds for each Mode its spelling in a configuration.
var modes = [...]string{ModeOff: "off", ModeAllow: "allow", ModeDeny: "deny"}

// String returns the mode as a configuration spells it.
func (m Mode) String() string { return modes[m] }

// List is an access list. All its methods are safe for concurrent use.
type List struct {
	mode Mode
	set  atomic.Pointer[set]

	// loading is held during a load, so that of two loads the one that was
	// asked for later also takes effect later.
	loading sync.Mutex
}

// New returns a list without entries: in ModeAllow it refuses every torrent
// until a file is loaded.
func New(mode Mode) *List {
	l := &List{mode: mode}
	l.set.Store(newSet(nil))
	return l
}

// Mode returns the mode that the list was made with.
func (l *List) Mode() Mode { return l.mode }

// Allows reports whether the torrent is served. It does not allocate.
func (l *List) Allows(h *bittorrent.InfoHash) bool {
	if l.mode == ModeOff {
		return true
	}
	return l.set.Load().has(h) == (l.mode == ModeAllow)
}

// Len returns how many different info hashes are on the list.
func (l *List) Len() int { return l.set.Load().n }

// Change says what a load did, in numbers of info hashes.
type Change struct {
	Added   int // on the list now, and not before
	Removed int // on the list before, and not now
	Total   int // on the list now
}

// LoadFile replaces the list by the contents of the file at path, whole and at
// once. In ModeOff it reads nothing and changes nothing. Lines are:
//
//	40 hex digits, either case     an info hash
//	64 hex digits                  a v2 info hash, of which the first 20 bytes count (BEP 52)
//	# and the rest of its line     a comment, also behind a hash
//	blank                          nothing
//
// Lines end in LF or CRLF; blanks around a hash, a byte order mark of UTF-8 at
// the start and hashes that come more than once do no harm. Where any other
// line is in the file, the error wraps a *FormatError with all of them; on this
// and any other error the list stays as it was. The error names the path.
func (l *List) LoadFile(path string) (Change, error) {
	if l.mode == ModeOff {
		return Change{}, nil
	}
	l.loading.Lock()
	defer l.loading.Unlock()
	hashes, err := readFile(path)
	if err != nil {
		return Change{}, err
	}
	next := newSet(hashes)
	change := diff(l.set.Load(), next)
	l.set.Store(next)
	return change, nil
}

// diff counts the hashes in which next differs from old.
func diff(old, next *set) Change {
	common := 0
	for h := range next.all {
		if old.has(h) {
			common++
		}
	}
	return Change{
		Added:   next.n - common,
		Removed: old.n - common,
		Total:   next.n,
	}
}
