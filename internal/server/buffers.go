//go:build unix

package server

import (
	"errors"
	"sync"

	"spate/internal/loop"
)

// errNoRoom ends a connection that needs more than the budget has left.
var errNoRoom = errors.New("connections hold as much as they may")

// buffers is where the connections of the goroutine driver borrow from. A
// connection that waits without a partial head holds nothing of it.
type buffers struct {
	budget *loop.Budget
	in     sync.Pool // *[inputSize]byte
	out    sync.Pool // *[]byte
}

func newBuffers(budget *loop.Budget) *buffers {
	return &buffers{
		budget: budget,
		in:     sync.Pool{New: func() any { return new([inputSize]byte) }},
		out:    sync.Pool{New: func() any { return new([]byte) }},
	}
}

func (b *buffers) getIn() *[inputSize]byte  { return b.in.Get().(*[inputSize]byte) }
func (b *buffers) putIn(p *[inputSize]byte) { b.in.Put(p) }
func (b *buffers) getOut() *[]byte          { return b.out.Get().(*[]byte) }

// uncounted is the largest output buffer that needs nothing of the budget. It
// has room for any ordinary reply.
const uncounted = 8 << 10

// putOut takes an output buffer back, unless it is so large that whoever gets it
// next for a small reply would hold memory that nobody counts.
func (b *buffers) putOut(p *[]byte) {
	if cap(*p) <= uncounted {
		*p = (*p)[:0]
		b.out.Put(p)
	}
}
