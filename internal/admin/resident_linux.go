package admin

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

// residentMemory reads how much memory the process has in RAM. Its file stays
// open, so that a chroot does not put it out of reach.
type residentMemory struct{ statm *os.File }

func openResidentMemory() *residentMemory {
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		return &residentMemory{}
	}
	return &residentMemory{f}
}

// bytes returns 0 where it is unknown. The second number of the file is the
// resident size in pages (proc(5)).
func (m *residentMemory) bytes() int64 {
	if m.statm == nil {
		return 0
	}
	var buf [256]byte
	n, _ := m.statm.ReadAt(buf[:], 0) // io.EOF, always
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// Close gives the file back.
func (m *residentMemory) Close() error {
	if m.statm == nil {
		return nil
	}
	if err := m.statm.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
