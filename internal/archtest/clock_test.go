package archtest

import (
	"go/ast"
	"go/token"
	"testing"
)

// timedRooms serve requests. Whoever sets the machine's clock must not let
// peers, connections or rates grow old, or stay young: they measure time since a
// start, which Go does by the monotonic clock for as long as nobody takes that
// reading away from a time.Time.
var timedRooms = []string{
	"internal/loop", "internal/server", "internal/swarm", "internal/tracker",
	"internal/http1", "internal/httpwire", "internal/bittorrent", "internal/access",
}

// nowFiles may call time.Now, for what the value says.
var nowFiles = map[string]string{
	"internal/server/config.go":      "the zero of the loops' clock",
	"internal/tracker/tracker.go":    "the zero of the clock that handling is timed by",
	"internal/server/epoll_linux.go": "the phases of a stop",
	"internal/server/goroutine.go":   "deadlines, which net wants as a time.Time",
	"internal/server/conn.go":        "deadlines",
	"internal/server/wire.go":        "deadlines",
	"internal/server/wire_end.go":    "deadlines",
	"internal/server/lot_linux.go":   "the zero of parked connections' deadlines",
	"internal/server/watch.go":       "how long ago the log said something; the age of certificates",
	"internal/server/server.go":      "the age of certificates",
}

// wallFiles may make or read times without a monotonic reading.
var wallFiles = map[string]string{
	"internal/server/wire.go": "a deadline that has passed whatever the clock says",
}

// TestServingTellsTimeByTheMonotonicClock finds the calls that make times of day
// or turn times into them. What comes of it is shown in internal/opstest, where
// the built tracker's clock steps.
func TestServingTellsTimeByTheMonotonicClock(t *testing.T) {
	now, wall := map[string]bool{}, map[string]bool{}
	for _, f := range parseTree(t) {
		if f.test || !within(f.dir, timedRooms) || within(f.dir, []string{"internal/server/servertest", "internal/swarm/swarmtest"}) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch kind, name := clockUse(n); kind {
			case usesNow:
				now[f.path] = true
				if nowFiles[f.path] == "" {
					t.Errorf("%s:%d: %s: take the time as a parameter", f.path, f.line(n.Pos()), name)
				}
			case usesWall:
				wall[f.path] = true
				if wallFiles[f.path] == "" {
					t.Errorf("%s:%d: %s is the time of day, which may step", f.path, f.line(n.Pos()), name)
				}
			}
			return true
		})
	}
	for path := range nowFiles {
		if !now[path] {
			t.Errorf("%s calls time.Now no more: take it off the list", path)
		}
	}
	for path := range wallFiles {
		if !wall[path] {
			t.Errorf("%s has no time of day any more: take it off the list", path)
		}
	}
}

// Ways to come by a time.
const (
	usesNone = iota
	usesNow  // time.Now, which has a monotonic reading
	usesWall // anything that has none
)

// clockUse tells what a node of a file does with times.
func clockUse(n ast.Node) (kind int, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		if call, ok := n.(*ast.CallExpr); ok && stripsMonotonic(call) {
			return usesWall, "a time rounded by 0"
		}
		return usesNone, ""
	}
	name = sel.Sel.Name
	if of, ok := sel.X.(*ast.Ident); ok {
		switch name = of.Name + "." + sel.Sel.Name; name {
		case "time.Now":
			return usesNow, name
		case "time.Unix", "time.UnixMilli", "time.UnixMicro", "time.Date", "time.Parse", "time.ParseInLocation",
			"unix.ClockGettime", "unix.Gettimeofday", "unix.Time", "syscall.Gettimeofday", "syscall.Time":
			return usesWall, name
		}
	}
	switch sel.Sel.Name {
	case "Unix", "UnixMilli", "UnixMicro", "UnixNano":
		return usesWall, name
	}
	return usesNone, ""
}

// stripsMonotonic recognizes t.Round(0) and t.Truncate(0).
func stripsMonotonic(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) != 1 || sel.Sel.Name != "Round" && sel.Sel.Name != "Truncate" {
		return false
	}
	by, ok := call.Args[0].(*ast.BasicLit)
	return ok && by.Kind == token.INT && by.Value == "0"
}
