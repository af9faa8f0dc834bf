package bench

import (
	"bytes"
	"strings"
	"testing"
)

// A program that ends, or is wrong in another way, is told from one that serves,
// with what it said.
func TestTrackersThatDoNotStartAreExplained(t *testing.T) {
	cpus, err := parseCPUs("0")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		processes [][]string
		want      string
	}{
		{"ends", [][]string{{"sh", "-c", "echo no such key; exit 3"}}, "tracker x: sh has ended instead of serving; it said:\nno such key"},
		{"one of two ends", [][]string{{"sleep", "60"}, {"true"}}, "true has ended instead of serving"},
		{"is not there", [][]string{{"no-such-program"}}, "no-such-program"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tracker := Tracker{Name: "x", Processes: c.processes}
			if _, err := tracker.start(t.Context(), t.TempDir(), cpus); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}

// What stands between braces is filled in, everywhere.
func TestPlaceholdersAreFilledIn(t *testing.T) {
	cpus, _ := parseCPUs("0")
	dir := t.TempDir()
	tracker := Tracker{
		Name: "x", Config: "config {cores} {address}", Env: []string{"PLACE={dir}"}, Files: map[string]string{"more": "file {back}"},
		Processes: [][]string{{"sh", "-c", "cat {config} {dir}/more; echo; echo environment $PLACE; exit 1"}},
	}
	_, err := tracker.start(t.Context(), dir, cpus)
	if err == nil {
		t.Fatal("a shell was taken for a tracker")
	}
	for _, want := range []string{"config 1 127.0.0.1:", "file 127.0.0.1:", "environment " + dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it said %v, want %q in it", err, want)
		}
	}
	if bytes.ContainsAny([]byte(err.Error()), "{}") {
		t.Errorf("something was left to fill in: %v", err)
	}
}
