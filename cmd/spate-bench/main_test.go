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
		{"no such tracker", []string{"--trackers", "b", plan}, 1, "", "the plan does not have all of them"},
		{"no such program", []string{plan}, 1, "", "tracker a"},
		{"compare one", []string{"compare", old}, 2, "", "compare needs two results"},
		{"compare with no result", []string{"compare", old, plan}, 1, "", "plan.toml"},
		{"compare with itself", []string{"compare", old, old}, 0, "no difference shown", ""},
		{"compare with slower", []string{"compare", old, slow}, 1, "slower", ""},
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
