//go:build unix

package server

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"spate/internal/loop"
)

// TestWaitSurvivesASecondStop: a connection that comes during the stop notices it by
// itself, and only then has its wait ended as all others have. It may still ask.
func TestWaitSurvivesASecondStop(t *testing.T) {
	const patience = time.Minute
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	raw, err := served.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}

	var leaving atomic.Bool
	leaving.Store(true)
	until := time.Now().Add(patience)
	w := wire{
		Conn: served, raw: raw, pool: newBuffers(loop.NewBudget(1 << 20)), timeout: patience,
		leaving: &leaving, first: true, grace: func(bool) time.Time { return until },
	}
	w.onReadable = w.receive
	if err := w.tell(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "asked"); err != nil {
		t.Fatal(err)
	}
	if err := served.SetReadDeadline(past); err != nil { // as the driver does once
		t.Fatal(err)
	}
	if err := w.fill(); err != nil || string(w.buffered()) != "asked" {
		t.Errorf("the wait ends with %q (%v)", w.buffered(), err)
	}
	w.use(len(w.buffered()))

	until = past
	if err := w.tell(); err != nil {
		t.Fatal(err)
	}
	if err := w.fill(); !isTimeout(err) {
		t.Errorf("after the grace: %v, want a timeout", err)
	}
	w.release()
}
