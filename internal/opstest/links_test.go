package opstest

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents returns the Markdown files that operators read, from the
// repository's root.
func documents(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, path := range markdown(t) {
		if path == "README.md" || path == "deploy/README.md" || strings.HasPrefix(path, "docs/") && !strings.HasPrefix(path, "docs/adr/") {
			paths = append(paths, path)
		}
	}
	return paths
}

// markdown returns all Markdown files, from the repository's root.
func markdown(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// link matches the target of an inline Markdown link.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: what a page links to inside the repository is there, down to the
// heading.
func TestLinks(t *testing.T) {
	seen := 0
	for _, path := range markdown(t) {
		for _, m := range link.FindAllStringSubmatch(prose(read(t, filepath.Join(root, path))), -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: link %s: %v", path, m[1], err)
				continue
			}
			if u.IsAbs() {
				continue // the network is no part of the tests
			}
			seen++
			target := filepath.Join(root, filepath.Dir(path), u.Path)
			if u.Path == "" {
				target = filepath.Join(root, path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: there is no such file", path, m[1])
				continue
			}
			if u.Fragment != "" && !hasHeading(read(t, target), u.Fragment) {
				t.Errorf("%s: link to %s: there is no such heading", path, m[1])
			}
		}
	}
	if seen < 20 {
		t.Errorf("%d links were found: the pattern is wrong", seen)
	}
}

// prose returns a page without its fenced code.
func prose(page string) string {
	return regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(page, "")
}

// hasHeading reports whether a page has a heading with the anchor that
// GitHub gives it.
func hasHeading(page, anchor string) bool {
	dropped := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	for line := range strings.Lines(prose(page)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			title = dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			if strings.ReplaceAll(title, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
