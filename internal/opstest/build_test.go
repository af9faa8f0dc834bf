package opstest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is where the repository lies, seen from this package.
const root = "../.."

// binDir holds the built commands for the time of the tests. TestMain sets it
// once, before any test runs.
var binDir string

func TestMain(m *testing.M) {
	os.Exit(withCommands(m))
}

// withCommands builds what operators run, as they build it, and runs the tests.
func withCommands(m *testing.M) int {
	dir, err := os.MkdirTemp("", "spate-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir, "./cmd/...")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	binDir = dir
	return m.Run()
}

// repository returns the absolute path of a file of the repository.
func repository(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a tool that has to succeed and returns its output. A tool that is
// missing fails the test: .ci/run installs them all.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// TestReproducible: two builds of one commit in different directories are the
// same bytes, static, and say what they are.
func TestReproducible(t *testing.T) {
	var builds [2][]byte
	for i := range builds {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("clone", i), "spate")
		copyTracked(t, dir)
		run(t, dir, "make", "build-spate", "VERSION=v9.8.7", "COMMIT=0123abc")
		binary := filepath.Join(dir, "bin", "spate")
		builds[i] = []byte(read(t, binary))
		if got, want := run(t, dir, binary, "-v"), "spate v9.8.7 (0123abc)\n"; got != want {
			t.Errorf("-v prints %q, want %q", got, want)
		}
	}
	if !bytes.Equal(builds[0], builds[1]) {
		t.Errorf("two builds differ: %d and %d bytes", len(builds[0]), len(builds[1]))
	}
	if bytes.Contains(builds[0], []byte("/ld-linux")) {
		t.Error("the binary is not static")
	}
	for _, path := range []string{repository(t, "."), t.TempDir()} {
		if bytes.Contains(builds[0], []byte(path)) {
			t.Errorf("the binary holds the path %s", path)
		}
	}
}

// copyTracked copies what an image is built from into dir, as
// deploy/Dockerfile.dockerignore has it.
func copyTracked(t *testing.T, dir string) {
	t.Helper()
	for _, part := range []string{"cmd", "internal"} {
		if err := os.CopyFS(filepath.Join(dir, part), os.DirFS(filepath.Join(root, part))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "Makefile"} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join(root, name)))
	}
}
