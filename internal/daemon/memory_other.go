//go:build !linux

package daemon

func memoryOfSystem() int64 { return 0 }
