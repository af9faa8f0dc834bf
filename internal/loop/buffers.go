package loop

import "math/bits"

const (
	// smallestBuffer holds the head of an ordinary announce.
	smallestBuffer = 1 << 10
	bufferClasses  = 12 // the largest buffer is 2 MiB
	// keptBuffers bounds what Buffers keeps for later, in bytes for each
	// class. Anything above goes back to the garbage collector, so that a bad
	// day's memory does not stay.
	keptBuffers = 128 << 10
)

// Buffers lends byte slices up to a bound on their total. The zero Buffers
// lends nothing: set Limit.
type Buffers struct {
	Limit int // bytes that may be lent at a time
	lent  int
	free  [bufferClasses][][]byte
}

// class returns which class has room for n bytes.
func class(n int) int {
	if n <= smallestBuffer {
		return 0
	}
	return bits.Len(uint(n-1)) - bits.Len(uint(smallestBuffer-1))
}

// Get returns an empty slice with room for n bytes, or nil when that would
// exceed Limit or n is beyond any class. Its owner calls Put once.
func (b *Buffers) Get(n int) []byte {
	c := class(n)
	if c >= bufferClasses {
		return nil
	}
	size := smallestBuffer << c
	if b.lent+size > b.Limit {
		return nil
	}
	b.lent += size
	if k := len(b.free[c]); k > 0 {
		buf := b.free[c][k-1]
		b.free[c][k-1] = nil
		b.free[c] = b.free[c][:k-1]
		return buf
	}
	return make([]byte, 0, size)
}

// Put takes back a slice that Get returned, or nil.
func (b *Buffers) Put(buf []byte) {
	if buf == nil {
		return
	}
	c := class(cap(buf))
	size := smallestBuffer << c
	b.lent -= size
	if (len(b.free[c])+1)*size <= keptBuffers {
		b.free[c] = append(b.free[c], buf[:0])
	}
}

// Lent returns how many bytes are lent.
func (b *Buffers) Lent() int { return b.lent }
