package server

import (
	"strings"
	"testing"
)

// TestWellKnown: the hook has the last word before a 404, and none before.
func TestWellKnown(t *testing.T) {
	var asked []string
	x := newTestExchange(t, Config{
		KeepAlive: true, IndexPage: []byte("index"),
		WellKnown: func(path []byte) []byte {
			asked = append(asked, string(path))
			if string(path) == "/.well-known/page" {
				return []byte("the page")
			}
			return nil
		},
	})
	var requests string
	for _, path := range []string{"/announce?x", "/", "/.well-known/page?x=1", "/.well-known/other"} {
		requests += "GET " + path + " HTTP/1.1\r\n\r\n"
	}
	out, last := play(t, x, testPeer(), []byte(requests+"HEAD /.well-known/page HTTP/1.1\r\n\r\n"), whole)
	if last != actionKeep {
		t.Errorf("action %d", last)
	}
	replies := strings.Split(string(out), "HTTP/1.1 ")[1:]
	want := []string{"body x", "index", "the page", "404 Not Found\n", "\r\n\r\n"}
	if len(replies) != len(want) {
		t.Fatalf("replies: %q", replies)
	}
	for i, r := range replies {
		if !strings.HasSuffix(r, want[i]) || strings.HasPrefix(r, "404") != (i == 3) {
			t.Errorf("reply %d is %q, want %q at its end", i, r, want[i])
		}
	}
	if got := strings.Join(asked, " "); got != "/.well-known/page /.well-known/other /.well-known/page" {
		t.Errorf("asked for %s", got)
	}
	if n := x.count.requests[0][outcomeWellKnown].Load(); n != 2 {
		t.Errorf("%d counted", n)
	}
}
