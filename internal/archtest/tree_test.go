package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// modulePath is the tracker's module; root is where it lies, seen from this package.
const (
	modulePath = "spate"
	root       = "../.."
)

// A file is one parsed Go file of the repository, whatever system it is built for.
type file struct {
	path  string // from the repository's root, with slashes
	dir   string
	test  bool // *_test.go
	e2e   bool // of the end-to-end module, which is outside the rooms
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

// imports returns the file's import paths.
func (f *file) imports() []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// line returns the line of a position in the file.
func (f *file) line(pos token.Pos) int { return f.fset.Position(pos).Line }

// parseTree parses every hand-written Go file of the tracker's module.
func parseTree(t *testing.T) []*file {
	t.Helper()
	return parseDir(t, func(f *file) bool { return !f.e2e })
}

// parseDir parses every hand-written Go file of the repository that keep accepts.
func parseDir(t *testing.T, keep func(*file) bool) []*file {
	t.Helper()
	var files []*file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if name == "testdata" || name == "bin" || name == "dist" || (strings.HasPrefix(name, ".") && path != root) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parseFile(path)
		if err != nil {
			return err
		}
		if !ast.IsGenerated(f.ast) && keep(f) {
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading the tree: %v", err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found: the rules would hold of nothing")
	}
	return files
}

func parseFile(path string) (*file, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, path, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	return &file{
		path:  rel,
		dir:   filepath.ToSlash(filepath.Dir(rel)),
		test:  strings.HasSuffix(rel, "_test.go"),
		e2e:   strings.HasPrefix(rel, "test/"),
		lines: bytes.Count(src, []byte{'\n'}),
		fset:  fset,
		ast:   parsed,
	}, nil
}
