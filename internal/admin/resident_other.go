//go:build !linux

package admin

// residentMemory is unknown here.
type residentMemory struct{}

func openResidentMemory() *residentMemory { return &residentMemory{} }

func (*residentMemory) bytes() int64 { return 0 }

// Close has nothing to give back.
func (*residentMemory) Close() error { return nil }
