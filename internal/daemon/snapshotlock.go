package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// locked is the ending of the file beside a snapshot that a tracker holds a lock on
// while it keeps the snapshot. The file is nothing without the lock, which ends with
// the process, however that ends: one that a crash has left keeps nobody out.
const locked = ".lock"

// errKept says that another process keeps the same snapshot.
var errKept = errors.New("another tracker keeps its snapshot there")

// errNoLocks says that the file system has no locks.
var errNoLocks = errors.New("the file system has no locks")

// A snapshotLock keeps other trackers from a snapshot. It is a record lock of
// fcntl(2), since that one tells who has it, and holds over NFS as well.
type snapshotLock struct {
	dir  *os.Root
	name string
	file *os.File
}

// lockSnapshot takes the lock of the snapshot name in dir, for the process. Its file
// is given to owner, where that is not nil. The error is errKept, errNoLocks, or says
// why the file could not be had.
func lockSnapshot(dir *os.Root, name string, owner *identity) (*snapshotLock, error) {
	l := &snapshotLock{dir: dir, name: name + locked}
	for {
		if err := l.open(); err != nil {
			return nil, err
		}
		if err := lockRecord(l.file); err != nil {
			return nil, errors.Join(err, l.file.Close())
		}
		// Who had the lock may have taken the file away just before it was ours.
		ours, err := l.file.Stat()
		if err != nil {
			return nil, errors.Join(err, l.file.Close())
		}
		if now, err := dir.Lstat(l.name); err == nil && os.SameFile(ours, now) {
			break
		}
		_ = l.file.Close() // nothing was written to it
	}
	if owner != nil {
		// It is left behind otherwise where only a file's owner may remove it.
		if err := l.file.Chown(owner.uid, owner.gid); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

// open opens the file or makes it. These are two calls, since Linux refuses to root
// itself an O_CREATE of another user's file in a directory such as /tmp
// (fs.protected_regular).
func (l *snapshotLock) open() (err error) {
	for {
		if err := lockable(l.dir, l.name); err != nil {
			return err
		}
		l.file, err = l.dir.OpenFile(l.name, os.O_RDWR, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.file, err = l.dir.OpenFile(l.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
}

// lockable reports what else than a lock's file has its name.
func lockable(dir *os.Root, name string) error {
	if info, err := dir.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: remove it", name)
	}
	return nil
}

// close removes the file and releases the lock, in this order: nobody can get a lock
// on a file that is about to go.
func (l *snapshotLock) close() {
	_ = l.dir.Remove(l.name) // one that is left is harmless
	_ = l.file.Close()
}

// snapshotKept returns an errKept when another process holds the lock of the snapshot
// name in dir, or what keeps anybody from it. It takes none, so that no tracker can
// meet it.
func snapshotKept(dir *os.Root, name string) error {
	if err := lockable(dir, name+locked); err != nil {
		return err
	}
	f, err := dir.Open(name + locked)
	if err != nil {
		return nil // nobody holds it, or it is not for us to see
	}
	defer f.Close()
	return holder(f)
}

// lockRecord takes the lock on f, and does not wait for it.
func lockRecord(f *os.File) error {
	for {
		err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
			return cmp.Or(holder(f), errKept)
		case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EINVAL):
			return fmt.Errorf("%w: %w", errNoLocks, err)
		}
		return os.NewSyscallError("fcntl F_SETLK", err)
	}
}

// holder returns an errKept that names who else holds the lock on f, nil when nobody
// does or it cannot be found out.
func holder(f *os.File) error {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		return nil
	}
	if lock.Pid <= 0 { // in another container, or on another machine
		return errKept
	}
	return fmt.Errorf("%w: process %d", errKept, lock.Pid)
}

// follow goes to the directory that the snapshot's path leads to now, where that was
// made anew or something was mounted over it: no start would find what is written to
// the one from before.
func (k *keeper) follow() error {
	if k.home == "" {
		return nil
	}
	there, err := os.Stat(k.home)
	if err != nil {
		return err
	}
	if here, err := k.dir.Stat("."); err == nil && os.SameFile(here, there) {
		return nil
	}
	dir, err := os.OpenRoot(k.home)
	if err != nil {
		return err
	}
	lock, err := lockSnapshot(dir, k.name, nil)
	if err != nil && !errors.Is(err, errNoLocks) {
		return errors.Join(err, dir.Close())
	}
	k.close()
	k.dir, k.lock = dir, lock
	k.log.Warn("the snapshot's directory is another one now, and it is written there", "path", k.path)
	return nil
}
