package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestWatch: each finding is one line a minute, however often it happened.
func TestWatch(t *testing.T) {
	var log bytes.Buffer
	r, err := newRules(Config{ClientHeader: "X-Real-IP"})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{rules: r, log: slog.New(slog.NewTextHandler(&log, nil))}
	c := s.newCounters()
	w := watch{s: s}
	w.look(time.Unix(0, 0))
	if log.Len() > 0 {
		t.Errorf("of nothing, the log says %s", log.String())
	}
	c.requests[0][outcomeNoClient].Add(70)
	c.requests[1][outcomeNoClient].Add(7)
	c.ended[endProxyHeader].Add(5)
	start := time.Unix(60, 0)
	w.look(start)
	says := func(when time.Duration, lines int, wants ...string) {
		t.Helper()
		w.look(start.Add(when))
		if got := strings.Count(log.String(), "\n"); got != lines {
			t.Errorf("after %v the log has %d lines, want %d:\n%s", when, got, lines, log.String())
		}
		for _, want := range wants {
			if !strings.Contains(log.String(), want) {
				t.Errorf("after %v the log lacks %q:\n%s", when, want, log.String())
			}
		}
	}
	says(0, 2, "requests=77", "header=X-Real-IP", "connections=5")
	c.requests[0][outcomeNoClient].Add(1)
	says(sayEvery/2, 2)
	c.requests[0][outcomeNoClient].Add(2)
	says(sayEvery, 3, "requests=3")
	says(3*sayEvery, 3)
}

// TestWatchFreed: memory is given back once after connections held a lot.
func TestWatchFreed(t *testing.T) {
	var w watch
	for i, step := range []struct {
		lent  int64
		freed bool
	}{{0, false}, {3 << 20, false}, {0, false}, {20 << 20, false}, {11 << 20, false}, {9 << 20, true}, {8 << 20, false}, {0, true}, {0, false}} {
		if freed := w.freed(step.lent); freed != step.freed {
			t.Errorf("step %d, %d bytes held: %t, want %t", i, step.lent, freed, step.freed)
		}
	}
}
