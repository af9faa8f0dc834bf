package bench

import (
	"bytes"
	"sync"
)

// maxOutput bounds what is kept of what a tracker says, in bytes.
const maxOutput = 64 << 10

// An output keeps the beginning of what a tracker's processes say. They write at
// the same time, and it may be read meanwhile.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer. It never fails.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b[:min(len(b), maxOutput-o.text.Len())])
	return len(b), nil
}

// String returns what was said so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
