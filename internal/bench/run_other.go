//go:build !linux

package bench

import (
	"context"
	"errors"
	"io"
)

// Run reports that only Linux tells what it needs to know of other processes.
func Run(context.Context, *Plan, Build, io.Writer) (*Result, error) {
	return nil, errors.New("spate-bench measures on Linux only")
}
