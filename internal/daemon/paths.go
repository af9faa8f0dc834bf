package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// chrooted turns the path of a file into one that holds before and after the
// root directory changes to root: relative to root, which is then also the
// working directory. The path may be one below root already, or one outside that
// leads below it. Where both exist, the one below root counts, as it does for
// aquatic_http when it reads the file again.
func chrooted(root, path string) (string, error) {
	below := filepath.Clean("/" + path)[1:]
	if _, err := os.Stat(filepath.Join(root, below)); err == nil {
		return below, nil
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", fmt.Errorf("there is neither %s nor %s", path, filepath.Join(root, below))
	}
	realRoot, err := filepath.EvalSymlinks(root)
	if err == nil {
		realRoot, err = filepath.Abs(realRoot)
	}
	if err != nil {
		return "", fmt.Errorf("chroot_path %s: %w", root, err)
	}
	relative, err := filepath.Rel(realRoot, real)
	if err != nil || relative == ".." || strings.HasPrefix(relative, "../") {
		return "", fmt.Errorf("%s is out of reach once the root directory is %s, and is needed then: move it below", real, realRoot)
	}
	return relative, nil
}
