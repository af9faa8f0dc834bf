// Package files opens the files that an operator names. They may be anything, and be
// exchanged for anything while a program runs.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// MaxSize is how many bytes Read and ReadRegular take: far more than any
// configuration or chain of certificates has.
const MaxSize = 16 << 20

var (
	// ErrNotRegular: a FIFO may keep its reader waiting forever, and a device may
	// never end.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge is for files of more than MaxSize bytes.
	ErrTooLarge = fmt.Errorf("larger than %d MiB", MaxSize>>20)
)

// OpenRegular opens a regular file, or a link to one, for reading. It never waits for
// the other end of a FIFO. Its errors are *os.PathError; that of anything else than a
// regular file wraps ErrNotRegular.
func OpenRegular(path string) (*os.File, error) {
	return openRegular(path, os.Stat, os.OpenFile)
}

func openRegular(
	path string, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error),
) (*os.File, error) {
	// Opening a device may have effects of its own, and a socket cannot be opened.
	info, err := stat(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, openError(path, ErrNotRegular)
	}
	// It may be another file by now.
	f, err := open(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = openError(path, ErrNotRegular)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// openError says that a file cannot be opened, which is all that matters to who reads
// it, whichever call has found out.
func openError(path string, err error) error {
	var found *os.PathError
	if errors.As(err, &found) {
		err = found.Err
	}
	return &os.PathError{Op: "open", Path: path, Err: err}
}

// ReadRegular returns what is in a regular file of at most MaxSize bytes. Its errors
// are those of OpenRegular and Read.
func ReadRegular(path string) ([]byte, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f)
}

// ReadRegularIn is ReadRegular for a file in a directory, which it does not leave.
func ReadRegularIn(dir *os.Root, name string) ([]byte, error) {
	f, err := openRegular(name, dir.Stat, dir.OpenFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f)
}

// Read returns what is in a file of any kind, waiting for it as a FIFO may make it.
// Its errors are *os.PathError; that of more than MaxSize bytes wraps ErrTooLarge.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f)
}

func read(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = &os.PathError{Op: "read", Path: f.Name(), Err: ErrTooLarge}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// CheckWritable reports the first of paths that cannot be opened for writing, before
// the work whose results are to go there. What is in a file stays; one that is missing
// is made. Empty paths stand for files that nobody asked for. Errors are *os.PathError.
func CheckWritable(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Write makes the file at path, or empties it, and has write fill it. Errors are those of
// write, or *os.PathError.
func Write(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
