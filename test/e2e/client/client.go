// Package client drives real BitTorrent clients: each function starts one on a
// host, with a torrent to seed or to fetch, and with peer discovery by the
// tracker alone (no DHT, no peer exchange, no local discovery).
package client

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"spate/test/e2e/lab"
)

// Port is where every client listens; each has a host of its own.
const Port = 6881

// A Kind is one make of client.
type Kind struct {
	// Name is the make's name, for subtests.
	Name string
	// Quiet clients never send event=completed, and say left=0 only with the next
	// regular announce, which may be a minute away.
	Quiet bool
	// ChecksCA says that Job.CA takes effect: the client trusts that authority and
	// no other.
	ChecksCA bool

	start  func(t testing.TB, j Job) *lab.Process
	signal syscall.Signal                     // on which it says goodbye to the tracker
	pause  func(t testing.TB, host *lab.Host) // says goodbye in the signal's stead
}

// A Job is what a client is to do.
type Job struct {
	Host    *lab.Host
	Torrent string // path of the metainfo file
	Dir     string // where the content is, or is to go
	Seed    bool   // the content is there already and is to be checked first
	Home    string // directory for the client's own files
	CA      string // PEM file with the only certificate authority to trust; "" without TLS
}

// A Peer is a client at work.
type Peer struct {
	*lab.Process
	Kind Kind
	Dir  string

	host *lab.Host
}

// Start starts a client of this kind.
func (k Kind) Start(t testing.TB, j Job) *Peer {
	t.Helper()
	if j.Home == "" {
		j.Home = t.TempDir()
	}
	return &Peer{Process: k.start(t, j), Kind: k, Dir: j.Dir, host: j.Host}
}

// Leave makes the client send event=stopped. Most end with it; what does not is
// killed with its test.
func (p *Peer) Leave(t testing.TB) {
	t.Helper()
	if p.Kind.pause != nil {
		p.Kind.pause(t, p.host)
		return
	}
	if err := p.Stop(t, p.Kind.signal); err != nil {
		t.Logf("%s left with %v", p.Name, err)
	}
}

// Kinds returns every make of client. anacrolix is the path of the built program
// in ../anacrolix.
func Kinds(anacrolix string) []Kind {
	return []Kind{
		{Name: "transmission", ChecksCA: true, start: startTransmission, pause: pauseTransmission},
		{Name: "aria2", ChecksCA: true, start: startAria2, signal: syscall.SIGINT},
		{Name: "rtorrent", start: startRTorrent, signal: syscall.SIGINT},
		{Name: "qbittorrent", start: startQBittorrent, signal: syscall.SIGTERM},
		{Name: "anacrolix", Quiet: true, start: anacrolixStarter(anacrolix), signal: syscall.SIGTERM},
	}
}

// write puts a file below a client's own directory and returns its path.
func write(t testing.TB, dir, name, format string, args ...any) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
