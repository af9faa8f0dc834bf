package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	old := write("old.json", `{"samples":[{"tracker":"a","workload":"w","cpu_us":10},{"tracker":"a","workload":"w","round":1,"cpu_us":10.1}]}`)
	slow := write("slow.json", `{"samples":[{"tracker":"a","workload":"w","cpu_us":20},{"tracker":"a","workload":"w","round":1,"cpu_us":20.2}]}`)
	plan := write("plan.toml", "[[trackers]]\nname = \"a\"\nprocesses = [[\"/no/such/program\"]]\n[[workloads]]\nname = \"w\"\n")
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"help", []string{"-h"}, 0, "Usage: spate-bench", ""},
		{"no plan", nil, 2, "", "needs one plan"},
		{"unknown flag", []string{"--fast", plan}, 2, "", "-fast"},
		{"no such plan", []string{"/no/such/plan.toml"}, 1, "", "no such file"},
		{"no such tracker", []string{"--trackers", "b", plan}, 1, "", `there is no tracker "b": the plan has a`},
		{"no such program", []string{plan}, 1, "", "tracker a: /no/such/program is not there (stat /no/such/program: no such file or directory): put it on the PATH"},
		{"compare one", []string{"compare", old}, 2, "", "compare needs two results"},
		{"compare with no result", []string{"compare", old, plan}, 1, "", "plan.toml"},
		{"compare with itself", []string{"compare", old, old}, 0, "no difference shown", ""},
		{"report", []string{"report", old, slow}, 0, "### w", ""},
		{"report of nothing", []string{"report"}, 2, "", "report needs at least one result"},
		{"version", []string{"--version"}, 0, version, ""},
		{"options last", []string{plan, "--rounds", "1"}, 2, "", "--rounds: options go before the files"},
		{"no rounds", []string{"--rounds", "-1", plan}, 2, "", "needs a whole number of at least 1"},
		{"no format", []string{"--format", "gif", plan}, 2, "", "needs svg or png"},
		{"no such use", []string{"--program", "b=c", plan}, 1, "", "no tracker of the plan starts a program of that name"},
		{"no pair", []string{"--program", "b", plan}, 1, "", "needs NAME=PATH"},
		{"nowhere to write", []string{"--json", "/no/such/place/r.json", plan}, 1, "", "/no/such/place/r.json: no such file"},
		{"compare with slower", []string{"compare", old, slow}, 1, "worse", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := run(context.Background(), c.args, &stdout, &stderr)
			if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, &stdout, &stderr)
			}
		})
	}
}

// What cannot be written is named, and the rest is written all the same.
func TestOutputIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	result := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(result, []byte(`{"samples":[{"tracker":"a","workload":"w","cpu_us":10}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-h"}, {"-v"}, {"report", result}, {"compare", result, result}, {"report", "--markdown", "/dev/full", result}} {
		var stderr bytes.Buffer
		if code := run(context.Background(), args, full, &stderr); code != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v ends with %d and says %q", args, code, &stderr)
		}
	}
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"report", "--json", "/dev/full", result}, &stdout, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "no space left") || !strings.Contains(stdout.String(), "### w") {
		t.Errorf("exit %d, %q, and the tables are %q", code, &stderr, &stdout)
	}
}
