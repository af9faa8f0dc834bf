package archtest

import (
	"strings"
	"testing"
)

// rooms is the architecture: what each room may import of ours, by import path below
// the module's. A room is a package with its subpackages (swarm also means
// swarm/swarmtest), which may import their room besides what the room may.
var rooms = map[string][]string{
	"internal/bittorrent": {},
	"internal/ipaddr":     {},
	"internal/loop":       {},
	"internal/metrics":    {},
	"internal/admin":      {},
	"internal/archtest":   {},
	"internal/files":      {},
	"internal/tomlfile":   {},
	"internal/http1":      {"internal/ipaddr"},
	"internal/httpwire":   {"internal/bittorrent", "internal/ipaddr"},
	"internal/swarm":      {"internal/bittorrent"},
	"internal/access":     {"internal/bittorrent", "internal/files"},
	"internal/acme":       {"internal/files"},
	"internal/server":     {"internal/http1", "internal/ipaddr", "internal/loop", "internal/files"},
	"internal/tracker":    {"internal/bittorrent", "internal/ipaddr", "internal/httpwire", "internal/swarm"},
	"internal/load":       {"internal/bittorrent", "internal/httpwire", "internal/http1", "internal/loop", "internal/tomlfile"},
	"internal/bench":      {"internal/load", "internal/tomlfile"},
	"internal/config":     {"internal/ipaddr", "internal/tomlfile", "internal/files"},
	"internal/daemon": {
		"internal/bittorrent", "internal/http1", "internal/metrics", "internal/admin", "internal/acme", "internal/httpwire",
		"internal/swarm", "internal/access", "internal/server", "internal/tracker", "internal/config", "internal/tomlfile", "internal/files",
	},
	"cmd/spate":       {"internal/daemon", "internal/config"},
	"cmd/spate-load":  {"internal/load", "internal/files"},
	"cmd/spate-bench": {"internal/bench", "internal/files"},
	// It tries the built commands; only the list of keys it takes from their code.
	"internal/opstest": {"internal/config"},
	// Measurements may look into every room; no room may look back.
	"bench": {"internal"},
}

// pureRooms touch no socket, no file and no clock, and depend on nothing but the
// standard library.
var pureRooms = []string{"internal/bittorrent", "internal/ipaddr", "internal/httpwire", "internal/http1", "internal/tracker"}

// TestImports fails on an import between our packages that the table lacks, and on
// one in the table that no file has.
func TestImports(t *testing.T) {
	needed := map[[2]string]bool{}
	for _, f := range parseTree(t) {
		room, known := roomOf(f.dir)
		if !known {
			t.Errorf("%s: directory %s is no room of the table: add it, with what it may import", f.path, f.dir)
			continue
		}
		for _, path := range f.imports() {
			imported, ours := strings.CutPrefix(path, modulePath+"/")
			if !ours {
				continue
			}
			if !mayImport(room, imported) {
				t.Errorf("%s: room %s may not import %s", f.path, room, imported)
			}
			for _, below := range rooms[room] {
				if within(imported, []string{below}) {
					needed[[2]string{room, below}] = true
				}
			}
		}
	}
	for room, all := range rooms {
		for _, below := range all {
			if !needed[[2]string{room, below}] {
				t.Errorf("room %s does not import %s: take that out of the table", room, below)
			}
		}
	}
}

// TestPureRooms keeps the protocol and the policy free of other people's code,
// of files and of the network.
func TestPureRooms(t *testing.T) {
	forbidden := map[string]bool{"net": true, "net/http": true, "os": true, "log": true, "log/slog": true, "syscall": true}
	for _, f := range parseTree(t) {
		if f.test || !within(f.dir, pureRooms) {
			continue
		}
		for _, path := range f.imports() {
			first, _, _ := strings.Cut(path, "/")
			if strings.Contains(first, ".") || forbidden[path] {
				t.Errorf("%s: a pure room may not import %s", f.path, path)
			}
		}
	}
}

// TestTableIsAcyclic holds the six floors: no arrow upwards, no circle.
func TestTableIsAcyclic(t *testing.T) {
	const visiting, done = 1, 2
	state := map[string]int{}
	var visit func(room string, trail []string)
	visit = func(room string, trail []string) {
		trail = append(trail, room)
		switch state[room] {
		case visiting:
			t.Errorf("circle: %s", strings.Join(trail, " -> "))
			return
		case done:
			return
		}
		state[room] = visiting
		for _, below := range rooms[room] {
			visit(below, trail)
		}
		state[room] = done
	}
	for room := range rooms {
		visit(room, nil)
	}
}

// roomOf returns the room that a directory belongs to.
func roomOf(dir string) (room string, known bool) {
	for room := range rooms {
		if within(dir, []string{room}) {
			return room, true
		}
	}
	return "", false
}

// mayImport reports whether files of room may import the package in dir.
func mayImport(room, dir string) bool {
	return within(dir, append([]string{room}, rooms[room]...))
}

// within reports whether dir is one of roots or lies below one.
func within(dir string, roots []string) bool {
	for _, root := range roots {
		if dir == root || strings.HasPrefix(dir, root+"/") {
			return true
		}
	}
	return false
}
