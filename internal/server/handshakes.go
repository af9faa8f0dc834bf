//go:build unix

package server

import (
	"container/list"
	"sync"
)

const (
	// handshakeHolds is what a handshake takes, in bytes, besides crypto/tls's buffer
	// for its records: most of it is the stack of a goroutine.
	handshakeHolds = 16 << 10
	// leastHandshakes may be under way at a time however little memory there is.
	leastHandshakes = 64
)

// handshakes are those that are under way, for a bound on what they hold together.
// Where there are as many as there may be, the one that has taken longest gives way to
// the next: an honest one is over after two round trips, while one that is held open
// lasts.
type handshakes struct {
	places chan struct{} // holds one for each

	mu       sync.Mutex // guards underWay, and outlasted of its connections
	underWay list.List  // of *conn, from the longest on
}

func newHandshakes(held int64) *handshakes {
	return &handshakes{places: make(chan struct{}, max(held/handshakeHolds, leastHandshakes))}
}

// begin waits for a place for the handshake of a connection.
func (h *handshakes) begin(c *conn) *list.Element {
	select {
	case h.places <- struct{}{}:
	default:
		h.giveWay()
		h.places <- struct{}{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.underWay.PushBack(c)
}

// giveWay closes the connection whose handshake has taken longest. Its goroutine sees
// that, and gives its place up.
func (h *handshakes) giveWay() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if oldest := h.underWay.Front(); oldest != nil {
		c := h.underWay.Remove(oldest).(*conn)
		c.outlasted = true
		_ = c.Conn.Close()
	}
}

// end takes back what begin returned, once the handshake is over, and where it failed
// also what comes after it. It reports whether it had to give way.
func (h *handshakes) end(e *list.Element) (outlasted bool) {
	h.mu.Lock()
	c := e.Value.(*conn)
	h.underWay.Remove(e) // nothing where it has given way
	outlasted = c.outlasted
	h.mu.Unlock()
	<-h.places
	return outlasted
}
