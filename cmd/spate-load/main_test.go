package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"spate/internal/load"
)

// call runs the program with a command line.
func call(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // parts of what is printed
	}{
		{"help", []string{"-h"}, 0, "Usage: spate-load", ""},
		{"long help", []string{"--help"}, 0, "Usage: spate-load", ""},
		{"version", []string{"-v"}, 0, version, ""},
		{"default", []string{"-p"}, 0, "number_of_torrents = 10000", ""},
		{"parsed", []string{"-P", "--duration", "7"}, 0, "duration = 7", ""},
		{"unknown flag", []string{"--speed"}, 2, "", "-speed"},
		{"unknown argument", []string{"now"}, 2, "", "unexpected argument: now"},
		{"no such file", []string{"-c", "/no/such/file.toml"}, 1, "", "no such file"},
		{"remote target", []string{"--server", "192.0.2.1:80"}, 1, "", "--allow-remote"},
		{"no target", []string{"--server", "localhost"}, 1, "", `"127.0.0.1:3000"`},
		{"remote target printed", []string{"-P", "--server", "192.0.2.1:80"}, 0, "192.0.2.1:80", ""},
		{"negative duration", []string{"--duration", "-5"}, 2, "", "needs a whole number of seconds"},
		{"no rate", []string{"--rate", "NaN"}, 2, "", "needs a number of requests a second above 0"},
		{"plot nowhere", []string{"--plot", "/no/such/place/a.svg"}, 1, "", "/no/such/place/a.svg: no such file"},
		{"histogram nowhere", []string{"--histogram", "/no/such/place/h"}, 1, "", "/no/such/place/h: no such file"},
		{"bad plot", []string{"--server", "127.0.0.1:1", "--duration", "1", "--plot", "a.gif"}, 1, "", ".svg or .png"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := call(c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, stdout, stderr)
			}
		})
	}
}

func TestPrintedDefaultLoadsBack(t *testing.T) {
	_, text, _ := call("-p")
	path := filepath.Join(t.TempDir(), "load.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, plain, _ := call("-P")
	code, loaded, stderr := call("-c", path, "-P")
	if code != 0 || loaded != plain {
		t.Errorf("exit %d (%s); the printed default means\n%s\nand not\n%s", code, stderr, loaded, plain)
	}
}

// tracker answers every announce with the same reply.
func tracker(t *testing.T, reply string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(reply)) }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestRunsReportAndSetTheExitCode(t *testing.T) {
	const good = "d8:completei0e10:downloadedi0e10:incompletei1e8:intervali1800e5:peers0:e"
	dir := t.TempDir()
	histogram, plot := filepath.Join(dir, "h.txt"), filepath.Join(dir, "p.svg")
	code, stdout, stderr := call("--server", tracker(t, good), "--duration", "1", "--json", "--histogram", histogram, "--plot", plot)
	var report struct {
		Responses map[string]int `json:"responses"`
		Faults    map[string]int `json:"faults"`
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if code != 0 || report.Responses["announce"] == 0 {
		t.Errorf("exit %d with %v, %s", code, report, stderr)
	}
	for _, path := range []string{histogram, plot} {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s was not written: %v", path, err)
		}
	}
	code, stdout, _ = call("--server", tracker(t, good+"\n"), "--duration", "1")
	if code != 1 || !strings.Contains(stdout, "malformed reply") || !strings.Contains(stdout, "Ctrl-C ends the run") {
		t.Errorf("exit %d for a tracker that adds bytes:\n%s", code, stdout)
	}
	code, stdout, _ = call("--server", tracker(t, good), "--duration", "1", "--rate", "100")
	if code != 0 || !strings.Contains(stdout, "No faults.") {
		t.Errorf("exit %d for an open loop:\n%s", code, stdout)
	}
}

// Who asks for output that cannot be written is not told that all is well.
func TestOutputIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	address := tracker(t, "d8:completei0e10:downloadedi0e10:incompletei1e8:intervali1800e5:peers0:e")
	for _, args := range [][]string{{"-h"}, {"-v"}, {"-p"}, {"-P"}, {"--server", address, "--duration", "1"}, {"--server", address, "--duration", "1", "--json"}} {
		var stderr strings.Builder
		if code := run(args, full, &stderr); code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v ends with %d and says %q", args, code, stderr.String())
		}
	}
}

func TestLiveViewDrawsOverItself(t *testing.T) {
	var b bytes.Buffer
	v := &liveView{w: &b, width: func() int { return 0 }, total: 10 * time.Second}
	r := &load.Report{Elapsed: time.Second, Tally: load.NewTally()}
	r.Tally.Sent = 12
	v.draw(r, 2*time.Second)
	first := b.String()
	if !strings.Contains(first, "[########................................]  20 %  2s of 10s") || !strings.Contains(first, "12/s") {
		t.Errorf("picture is %q", first)
	}
	b.Reset()
	r.Tally.Faults[load.FaultSelf] = 1
	v.width = func() int { return 40 }
	v.draw(r, 3*time.Second)
	for _, line := range strings.Split(b.String(), "\n") {
		if text := strings.TrimPrefix(line, "\x1b[4A"); len(strings.TrimPrefix(text, "\x1b[2K")) > 39 {
			t.Errorf("%q does not fit 40 columns", line)
		}
	}
	if !strings.HasPrefix(b.String(), "\x1b[4A") || !strings.Contains(b.String(), "requester among its own pee") {
		t.Errorf("second picture is %q", b.String())
	}
}
