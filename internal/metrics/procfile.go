package metrics

import (
	"io"
	"os"
)

// A procFile is a file of /proc that is kept open, so that it can be read
// again after a chroot has put /proc out of reach.
type procFile struct{ f *os.File }

// openProc opens a file, and keeps quiet where there is none: its values are
// then missing from the metrics.
func openProc(path string) procFile {
	f, err := os.Open(path)
	if err != nil {
		return procFile{}
	}
	return procFile{f}
}

// maxProcFile is more than the files that are read here ever have.
const maxProcFile = 64 << 10

// read returns what the file says now, nothing where it cannot be read.
func (p procFile) read() []byte {
	if p.f == nil {
		return nil
	}
	b, err := io.ReadAll(io.NewSectionReader(p.f, 0, maxProcFile))
	if err != nil {
		return nil
	}
	return b
}

func (p procFile) close() error {
	if p.f == nil {
		return nil
	}
	return p.f.Close()
}
