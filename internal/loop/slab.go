package loop

const (
	slabBits  = 9
	slabChunk = 1 << slabBits
)

// A Slab is an array that grows in chunks, so that growing neither copies nor
// moves what is there. The zero Slab is empty and ready to use.
type Slab[T any] struct {
	chunks []*[slabChunk]T
}

// Grow makes At(i) valid. New elements are zero.
func (s *Slab[T]) Grow(i uint32) {
	for int(i>>slabBits) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([slabChunk]T))
	}
}

// Has reports whether At(i) is valid.
func (s *Slab[T]) Has(i uint32) bool { return int(i>>slabBits) < len(s.chunks) }

// At returns element i. The pointer stays valid for as long as the slab.
func (s *Slab[T]) At(i uint32) *T { return &s.chunks[i>>slabBits][i%slabChunk] }

// A Numbers hands out small numbers, the last returned first, so that the
// elements of slabs that they index stay few and warm. The zero Numbers starts
// at 0.
type Numbers struct {
	free []uint32
	next uint32
}

// Take returns a number that is not in use.
func (n *Numbers) Take() uint32 {
	if k := len(n.free); k > 0 {
		i := n.free[k-1]
		n.free = n.free[:k-1]
		return i
	}
	i := n.next
	n.next++
	return i
}

// Return gives a number back.
func (n *Numbers) Return(i uint32) { n.free = append(n.free, i) }

// Used returns how many numbers are in use.
func (n *Numbers) Used() int { return int(n.next) - len(n.free) }

// End returns a bound that all numbers in use are below.
func (n *Numbers) End() uint32 { return n.next }
