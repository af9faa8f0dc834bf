package bench

import (
	"bytes"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"spate/internal/load"
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

// What a tracker took that has ended, alone or with its children, is no figure.
func TestATrackerThatEndsIsNotMeasured(t *testing.T) {
	cpus, err := parseCPUs("0")
	if err != nil {
		t.Fatal(err)
	}
	// A shell with a child of its own stands for a tracker; nothing is asked of it.
	first := exec.Command("sh", "-c", "sleep 60 & echo up; wait")
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := startOn(cpus, first); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	s := &server{processes: []*exec.Cmd{first}}
	t.Cleanup(s.stop)
	m := &measurement{ctx: t.Context(), t: &Tracker{Name: "x"}, w: &Workload{Name: "w"}}
	report := &load.Report{Elapsed: time.Second, Tally: load.NewTally()}
	report.Tally.Replies[load.KindAnnounce] = 1
	before, err := s.usage()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.sample(s, report, before); err != nil {
		t.Errorf("a tracker that runs: %v", err)
	}
	for _, pid := range s.pids()[1:] {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for s.ended() == "" { // its shell ends with it
		runtime.Gosched()
	}
	if _, err := m.sample(s, report, before); err == nil || !strings.Contains(err.Error(), "tracker x under w: sh has ended meanwhile") {
		t.Errorf("error is %v", err)
	}
}
