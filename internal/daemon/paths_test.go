package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChrootedPaths(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "jail")
	for _, file := range []string{"jail/list", "jail/sub/list", "outside"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "list"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for path, want := range map[string]string{
		"list":                          "list",
		"/list":                         "list",
		"./sub/../list":                 "list",
		"sub/list":                      "sub/list",
		filepath.Join(root, "list"):     "list",
		filepath.Join(root, "sub/list"): "sub/list",
		"jail/sub/list":                 "sub/list",
		"link":                          "list",
	} {
		if got, err := chrooted(root, path); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]string{
		"outside": "is out of reach once the root directory is " + root,
		"none":    "there is neither none nor " + filepath.Join(root, "none"),
	} {
		if _, err := chrooted(root, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}
