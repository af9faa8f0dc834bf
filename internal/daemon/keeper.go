package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"spate/internal/swarm"
)

// keeper keeps a snapshot of the swarms in a file.
type keeper struct {
	store    *swarm.Store
	clock    func() time.Duration
	log      *Log
	limited  *slog.Logger // log, for what happens again and again
	dir      *os.Root
	home     string        // its path; empty where that is out of reach, after a change of the root directory
	lock     *snapshotLock // nil in a check, and where the file system has none
	path     string        // for messages
	name     string        // in dir
	interval time.Duration
	source   io.ReadCloser // the snapshot that Run loads; nil where there is none, and afterwards

	mu    sync.Mutex // guards noted
	noted writes
}

// writes are those of the snapshot since the start.
type writes struct {
	last       time.Time     // when the file on the disk was written; zero is never
	size       int64         // its bytes
	took       time.Duration // the last write
	good       bool          // the last write, if there was one, did not fail
	ok, failed uint64
}

// writes returns how writing went so far.
func (k *keeper) writes() writes {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.noted
}

// note counts a write. It reports whether it is good again, after a failure.
func (k *keeper) note(size int64, took time.Duration, err error) (again bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	again = err == nil && !k.noted.good
	k.noted.took, k.noted.good = took, err == nil
	if err != nil {
		k.noted.failed++
		return false
	}
	k.noted.ok++
	k.noted.last, k.noted.size = time.Now(), size
	return again
}

// The endings of the files beside a snapshot, besides its lock: one that is being
// written, one that only shows whether that will be possible, perhaps while another
// tracker writes, one that could not be read, and one of a version to come.
const (
	unfinished = ".tmp"
	probe      = ".probe"
	damaged    = ".damaged"
	newer      = ".newer"
)

// openKeeper prepares the snapshot's file, if there is to be one.
func (d *Daemon) openKeeper() error {
	path := d.cfg.Snapshot.Path
	if path == "" {
		return nil
	}
	name := filepath.Base(path)
	if os.IsPathSeparator(path[len(path)-1]) || name == ".." {
		return d.cfg.Problem("snapshot.path", "is a directory: needs a file in it")
	}
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return d.cfg.Problem("snapshot.path", "needs a file in a directory that can be opened: %v", err)
	}
	d.keeper = &keeper{
		store: d.store, clock: d.clock, log: d.log, limited: d.limited.logger(), dir: dir, path: path, name: name,
		interval: time.Duration(d.cfg.Snapshot.Interval) * time.Second,
		noted:    writes{good: true},
	}
	if d.become == nil {
		d.keeper.home = filepath.Dir(path)
	}
	if info, err := dir.Stat(d.keeper.name); err == nil {
		d.keeper.noted.last, d.keeper.noted.size = info.ModTime(), info.Size()
	}
	writer := os.Geteuid()
	if d.become != nil {
		writer = d.become.uid
	}
	for _, err := range []error{d.keeper.writable(), d.keeper.replaceable(writer)} {
		if err != nil {
			return d.cfg.Problem("snapshot.path", "%v", err)
		}
	}
	return d.lockKeeper()
}

// lockKeeper keeps other trackers from the snapshot: they would overwrite each
// other's in turn. A check only tells whether somebody keeps it.
func (d *Daemon) lockKeeper() (err error) {
	k := d.keeper
	if d.checking {
		err = snapshotKept(k.dir, k.name)
	} else {
		k.lock, err = lockSnapshot(k.dir, k.name, d.become)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errKept):
		return &keyedError{d.cfg.Problem("snapshot.path", "%v: stop that one, or give each tracker a path of its own", err), err}
	case errors.Is(err, errNoLocks):
		d.log.Warn("nothing keeps a second tracker from the snapshot: "+err.Error(), "path", k.path)
		return nil
	}
	return d.cfg.Problem("snapshot.path", "cannot be locked, which keeps other trackers from it: %v", err)
}

// close lets others have the snapshot.
func (k *keeper) close() {
	if k.source != nil {
		_ = k.source.Close() // it was only read
	}
	if k.lock != nil {
		k.lock.close()
	}
	_ = k.dir.Close() // a directory, opened for reading
}

// writable reports what will keep the snapshot from being written: better at the
// start than at the stop.
func (k *keeper) writable() error {
	if info, err := k.dir.Lstat(k.name); err == nil && info.Mode().Type() == fs.ModeSymlink {
		return errors.New("is a symbolic link, which a write would replace: name the file itself")
	} else if err == nil && !info.Mode().IsRegular() {
		return errors.New("is no regular file")
	}
	if info, err := k.dir.Lstat(k.name + unfinished); err == nil && info.IsDir() {
		return fmt.Errorf("is written to %s first, which is a directory: remove it", k.path+unfinished)
	}
	f, err := k.create(k.name + probe)
	if err != nil {
		return fmt.Errorf("cannot be written: %w", err)
	}
	err = k.dir.Remove(k.name + probe)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // another start or check tried at the same time, and was faster
	}
	return errors.Join(f.Close(), err)
}

// replaceable reports whether the sticky bit of the directory will keep the user from
// putting a new snapshot in the place of the one that is there, as in /tmp.
func (k *keeper) replaceable(uid int) error {
	dir, err := k.dir.Stat(".")
	if err != nil {
		return err
	}
	file, err := k.dir.Lstat(k.name)
	if err != nil || dir.Mode()&fs.ModeSticky == 0 || uid == 0 || ownerOf(dir) == uid || ownerOf(file) == uid {
		return nil // there is none, or it can be replaced
	}
	return fmt.Errorf("is another user's, and only that one may replace it in a directory with the sticky bit: change its owner to %d, or take another directory", uid)
}

// ownerOf returns the number of the user who owns a file.
func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// create makes a file of ours anew, whatever had its name: to open a FIFO would wait
// for its reader, and a link leads to another file.
func (k *keeper) create(name string) (*os.File, error) {
	for {
		if err := k.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		f, err := k.dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// run writes a snapshot every interval until ctx is done. One that fails is
// logged, and tried again at the next.
func (k *keeper) run(ctx context.Context) {
	every(ctx, k.interval, func() {
		_ = k.write(ctx, k.limited) // which has logged it
	})
}

// write replaces the snapshot by a new one, whole or not at all. It logs why not.
// It takes its time until ctx is done.
func (k *keeper) write(ctx context.Context, log *slog.Logger) error {
	start := time.Now()
	size, err := k.replace(ctx)
	again := k.note(size, time.Since(start), err)
	if err != nil {
		// What was written of it only takes room. It is an error of its own to
		// fail here, and the next write says so.
		_ = k.dir.Remove(k.name + unfinished)
		log.Error("the snapshot was not written, the old one stays", "path", k.path, "error", err)
		return fmt.Errorf("the snapshot %s was not written, the old one stays: %w", k.path, err)
	}
	level := slog.LevelDebug
	if again {
		level = slog.LevelInfo // who has read of the failure wants to read of its end
	}
	k.log.Log(ctx, level, "a snapshot is written", "path", k.path, "bytes", size, "took", time.Since(start).Round(time.Millisecond).String())
	return nil
}

func (k *keeper) replace(ctx context.Context) (size int64, err error) {
	if err := k.follow(); err != nil {
		return 0, err
	}
	f, err := k.create(k.name + unfinished)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = k.store.Snapshot(&pacedWriter{ctx: ctx, w: w, awake: time.Now()}, k.clock())
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync() // before the rename: a power cut must not leave an empty file
	}
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	if err := k.dir.Rename(k.name+unfinished, k.name); err != nil {
		return 0, err
	}
	d, err := k.dir.Open(".")
	if err != nil {
		return 0, err
	}
	return size, errors.Join(d.Sync(), d.Close())
}
