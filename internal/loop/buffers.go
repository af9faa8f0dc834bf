package loop

import (
	"math/bits"
	"sync/atomic"
)

const (
	// smallestBuffer holds the head of an ordinary announce.
	smallestBuffer = 1 << 10
	bufferClasses  = 8 // up to 128 KiB; larger ones are made to measure
	// keptBuffers bounds what Buffers keeps for later, in bytes for each
	// class. Anything above goes back to the garbage collector, so that a bad
	// day's memory does not stay.
	keptBuffers = 128 << 10
)

// A Budget is how many bytes all Buffers that share it may lend at a time. It
// is safe for concurrent use.
type Budget struct {
	limit int64
	lent  atomic.Int64
}

// Take lends n bytes of memory that is not Buffers'. It reports false when more than
// the budget is lent already; otherwise the caller gives them back by Give. The last
// loan may exceed the budget, by whatever its size is.
func (b *Budget) Take(n int) bool {
	if b.lent.Add(int64(n)) > int64(n)+b.limit {
		b.lent.Add(int64(-n))
		return false
	}
	return true
}

// Give takes back n bytes that Take has lent.
func (b *Budget) Give(n int) { b.lent.Add(int64(-n)) }

// NewBudget returns a budget of limit bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Lent returns how many bytes are lent.
func (b *Budget) Lent() int64 { return b.lent.Load() }

// Buffers lends byte slices within a budget.
type Buffers struct {
	budget *Budget
	free   [bufferClasses][][]byte
}

// NewBuffers returns Buffers that lend within a budget, which others may share.
func NewBuffers(b *Budget) *Buffers { return &Buffers{budget: b} }

// class returns which class has room for n bytes; it may be none that exists.
func class(n int) int {
	if n <= smallestBuffer {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(smallestBuffer-1))
}

// Get returns an empty slice with room for n bytes, or nil when the budget is
// used up. Its owner calls Put once.
func (b *Buffers) Get(n int) []byte {
	c, size := class(n), n
	if c < bufferClasses {
		size = smallestBuffer << c
	}
	if !b.budget.Take(size) {
		return nil
	}
	if c >= bufferClasses || len(b.free[c]) == 0 {
		return make([]byte, 0, size)
	}
	k := len(b.free[c]) - 1
	buf := b.free[c][k]
	b.free[c][k] = nil
	b.free[c] = b.free[c][:k]
	return buf
}

// Adopt counts a slice of the caller's as lent. It is false when the budget is
// used up; otherwise the slice's owner calls Put once.
func (b *Buffers) Adopt(buf []byte) bool { return b.budget.Take(cap(buf)) }

// Put takes back a slice that Get returned or Adopt was given, or nil.
func (b *Buffers) Put(buf []byte) {
	if buf == nil {
		return
	}
	size := cap(buf)
	b.budget.Give(size)
	c := class(size)
	if c < bufferClasses && size == smallestBuffer<<c && (len(b.free[c])+1)*size <= keptBuffers {
		b.free[c] = append(b.free[c], buf[:0])
	}
}
