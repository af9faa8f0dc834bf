package bittorrent

import (
	"strings"
	"testing"
)

func TestFailures(t *testing.T) {
	labels := map[string]Failure{}
	for f := FailureNone; int(f) < FailureCount; f++ {
		if f.Label() == "" || strings.Trim(f.Label(), "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("failure %d has the label %q, want lower-case words joined by underscores", f, f.Label())
		}
		if other, taken := labels[f.Label()]; taken {
			t.Errorf("failures %d and %d share the label %q", other, f, f.Label())
		}
		labels[f.Label()] = f
		if (f.Reason() == "") != (f == FailureNone) {
			t.Errorf("%s has the reason %q", f.Label(), f.Reason())
		}
		for _, c := range f.Reason() {
			if c < ' ' || c > '~' {
				t.Errorf("%s: the reason holds %q, want plain ASCII", f.Label(), c)
			}
		}
	}
}

// Clients look for these words in a failure reason: Transmission and rTorrent
// give a torrent up at the first ones, Transmission asks for fewer hashes in
// its next scrape at the others.
func TestOnlyTheRefusalSaysUnregistered(t *testing.T) {
	for f := FailureNone; int(f) < FailureCount; f++ {
		reason := strings.ToLower(f.Reason())
		for _, words := range []string{
			"unregistered", "not registered", "torrent cannot be found",
			"bad request", "request-uri too long", "get string too long",
		} {
			if strings.Contains(reason, words) && (f != FailureUnregistered || words != "unregistered") {
				t.Errorf("%s: the reason contains %q", f.Label(), words)
			}
		}
		if f.Permanent() != strings.Contains(reason, "unregistered torrent") {
			t.Errorf("%s: permanent is %t, and the reason is %q", f.Label(), f.Permanent(), f.Reason())
		}
	}
}

func TestEventString(t *testing.T) {
	for e, want := range map[Event]string{
		EventNone: "", EventStarted: "started", EventStopped: "stopped",
		EventCompleted: "completed", EventPaused: "paused",
	} {
		if got := e.String(); got != want {
			t.Errorf("event %d is %q, want %q", e, got, want)
		}
	}
}

func TestInfoHashString(t *testing.T) {
	h := InfoHash{0: 0xab, 19: 0x01}
	if got, want := h.String(), "ab00000000000000000000000000000000000001"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
