package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestWatch: each finding is one line, however often it happened.
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
	w.look(time.Unix(60, 0))
	w.look(time.Unix(120, 0))
	if strings.Count(log.String(), "\n") != 2 {
		t.Errorf("the log has not two lines:\n%s", log.String())
	}
	for _, want := range []string{"requests=77", "header=X-Real-IP", "connections=5"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}
