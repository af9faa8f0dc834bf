package archtest

import (
	"go/ast"
	"slices"
	"testing"
)

// Limits of a file and of a function outside tests. What outgrows them wants to
// be two things.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// everything selects the end-to-end module too.
func everything(*file) bool { return true }

// TestSizes keeps files and functions short enough to be read at one sitting.
func TestSizes(t *testing.T) {
	for _, f := range parseDir(t, everything) {
		if f.test {
			continue
		}
		if f.lines > maxFileLines {
			t.Errorf("%s: %d lines, more than %d", f.path, f.lines, maxFileLines)
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if n := f.line(fn.End()) - f.line(fn.Pos()) + 1; n > maxFunctionLines {
				t.Errorf("%s:%d: %s has %d lines, more than %d", f.path, f.line(fn.Pos()), fn.Name.Name, n, maxFunctionLines)
			}
		}
	}
}

// TestPackageComments wants exactly one package comment in each package, so that
// there is one place to read first.
func TestPackageComments(t *testing.T) {
	comments := map[string][]string{}
	for _, f := range parseDir(t, everything) {
		key := f.dir + " " + f.ast.Name.Name
		if _, seen := comments[key]; !seen {
			comments[key] = nil
		}
		if f.ast.Doc != nil {
			comments[key] = append(comments[key], f.path)
		}
	}
	for pkg, paths := range comments {
		if len(paths) > 1 || (len(paths) == 0 && !isExternalTest(pkg)) {
			t.Errorf("package %s: has %d package comments, want one: %v", pkg, len(paths), paths)
		}
	}
}

// isExternalTest reports whether pkg is the _test package beside another one.
func isExternalTest(pkg string) bool {
	const suffix = "_test"
	return len(pkg) > len(suffix) && pkg[len(pkg)-len(suffix):] == suffix
}

// TestNoInit forbids init functions: what runs, main or a constructor starts.
func TestNoInit(t *testing.T) {
	for _, f := range parseDir(t, everything) {
		for _, decl := range f.ast.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s:%d: init function", f.path, f.line(fn.Pos()))
			}
		}
	}
}

// TestTestsNeitherSkipNorSleep: a skipped test proves nothing, and a sleep is
// either too short or too long. Waiting is polling for something observable. In
// a testing/synctest bubble sleeping is exact, and takes no time.
func TestTestsNeitherSkipNorSleep(t *testing.T) {
	for _, f := range parseDir(t, everything) {
		if !f.test && !f.e2e || slices.Contains(f.imports(), "testing/synctest") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name := forbiddenCall(call); name != "" {
				t.Errorf("%s:%d: %s in a test", f.path, f.line(call.Pos()), name)
			}
			return true
		})
	}
}

// forbiddenCall returns the name of a call that sleeps or skips, or "".
func forbiddenCall(call *ast.CallExpr) string {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	receiver, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	name := receiver.Name + "." + sel.Sel.Name
	switch name {
	case "time.Sleep", "t.Skip", "t.Skipf", "t.SkipNow", "b.Skip", "b.Skipf", "b.SkipNow",
		"tb.Skip", "tb.Skipf", "tb.SkipNow", "f.Skip", "f.Skipf", "f.SkipNow":
		return name
	}
	return ""
}
