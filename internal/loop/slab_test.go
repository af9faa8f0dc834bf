package loop

import (
	"testing"
	"unsafe"
)

func TestSlabKeepsPointers(t *testing.T) {
	var s Slab[uint64]
	if s.Has(0) {
		t.Error("an empty slab has an element")
	}
	s.Grow(0)
	first := s.At(0)
	*first = 7
	for i := range uint32(10_000) {
		s.Grow(i)
		if i > 0 && *s.At(i) != 0 {
			t.Fatalf("element %d is not zero", i)
		}
		*s.At(i) = uint64(i) + 7
	}
	if first != s.At(0) || *first != 7 {
		t.Error("growing moved an element")
	}
	const full = (10_000 + slabChunk - 1) / slabChunk * slabChunk
	if !s.Has(9_999) || !s.Has(full-1) || s.Has(full) {
		t.Errorf("%d chunks for 10,000 elements, want room for %d", len(s.chunks), full)
	}
}

func TestNumbers(t *testing.T) {
	var n Numbers
	seen := map[uint32]bool{}
	for range 100 {
		i := n.Take()
		if seen[i] {
			t.Fatalf("%d is given twice", i)
		}
		seen[i] = true
	}
	if n.Used() != 100 || n.End() != 100 {
		t.Errorf("used %d, end %d", n.Used(), n.End())
	}
	n.Return(17)
	n.Return(3)
	if a, b := n.Take(), n.Take(); a != 3 || b != 17 {
		t.Errorf("got %d and %d back, want the last returned first", a, b)
	}
	if n.Used() != 100 || n.End() != 100 {
		t.Errorf("used %d, end %d", n.Used(), n.End())
	}
}

func TestBuffers(t *testing.T) {
	budget := NewBudget(16 << 10)
	b := NewBuffers(budget)
	var lent [][]byte
	for {
		buf := b.Get(600)
		if buf == nil {
			break
		}
		if len(buf) != 0 || cap(buf) < 600 {
			t.Fatalf("got %d of %d bytes", len(buf), cap(buf))
		}
		lent = append(lent, buf)
	}
	if len(lent) != 17 { // the last one may exceed the budget
		t.Errorf("%d buffers of 1 KiB fit into 16 KiB", len(lent))
	}
	if b.Adopt(make([]byte, 1)) {
		t.Error("a used-up budget took a slice")
	}
	first := unsafe.SliceData(lent[0][:1])
	for i := len(lent) - 1; i >= 0; i-- {
		b.Put(lent[i])
	}
	b.Put(nil)
	if budget.Lent() != 0 {
		t.Errorf("%d bytes are lent, want none", budget.Lent())
	}
	again := b.Get(1)
	if unsafe.SliceData(again[:1]) != first {
		t.Error("a returned buffer is not used again")
	}
	b.Put(again)

	large := b.Get(10 << 20)
	if cap(large) != 10<<20 {
		t.Errorf("a large buffer has %d bytes", cap(large))
	}
	if b.Get(1) != nil {
		t.Error("a used-up budget lent more")
	}
	b.Put(large)
	own := make([]byte, 3000)
	if !b.Adopt(own) || budget.Lent() != 3000 {
		t.Errorf("after adopting 3,000 bytes %d are lent", budget.Lent())
	}
	b.Put(own)
	if got := b.Get(3000); cap(got) != 4096 {
		t.Errorf("a class of 4,096 lent %d bytes", cap(got))
	}
}
