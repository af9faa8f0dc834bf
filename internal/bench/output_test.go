package bench

import (
	"bytes"
	"strings"
	"sync"
	"testing"
)

// TestOutputOfSeveral lets several processes speak at once, more than is kept.
func TestOutputOfSeveral(t *testing.T) {
	var o output
	var all sync.WaitGroup
	line := []byte("a line of a tracker\n")
	for range 4 {
		all.Go(func() {
			for range maxOutput / len(line) {
				if n, err := o.Write(line); n != len(line) || err != nil {
					t.Errorf("wrote %d bytes, %v", n, err)
				}
			}
		})
		_ = o.String()
	}
	all.Wait()
	got := o.String()
	if len(got) != maxOutput || !strings.HasPrefix(got, string(bytes.Repeat(line, maxOutput/len(line)))) {
		t.Errorf("%d bytes are kept, want whole lines up to %d", len(got), maxOutput)
	}
}
