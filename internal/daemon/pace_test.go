package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// slowWriter takes half a millisecond for each write.
type slowWriter struct{ err error }

func (w slowWriter) Write(b []byte) (int, error) {
	time.Sleep(paceWork / 2) // in a bubble: it costs nobody time
	return len(b), w.err
}

func TestPacedWriterTakesAFifth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		w := &pacedWriter{ctx: t.Context(), w: slowWriter{}, awake: begin}
		for range 100 {
			if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
				t.Fatalf("it wrote %d bytes, %v", n, err)
			}
		}
		if took, want := time.Since(begin), 50*paceWork*(1+paceRest); took != want {
			t.Errorf("100 writes of %v took %v, want %v", paceWork/2, took, want)
		}
	})
}

// TestPacedWriterHurriesAtTheStop: a rest ends with the context, and none follows.
func TestPacedWriterHurriesAtTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		w := &pacedWriter{ctx: ctx, w: slowWriter{}, awake: begin.Add(-time.Hour)}
		time.AfterFunc(paceWork, cancel)
		for range 100 {
			_, _ = w.Write(nil)
		}
		// The first write, the rest until the stop, and 99 writes.
		if took, want := time.Since(begin), paceWork+99*paceWork/2; took != want {
			t.Errorf("100 writes took %v, want %v", took, want)
		}
	})
}

func TestPacedWriterTellsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		w := &pacedWriter{ctx: t.Context(), w: slowWriter{full}, awake: time.Now()}
		if n, err := w.Write([]byte("abc")); n != 3 || !errors.Is(err, full) {
			t.Errorf("it wrote %d bytes, %v", n, err)
		}
	})
}
