// Package e2e runs the built tracker with real BitTorrent clients and real
// reverse proxies, in network namespaces.
package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"spate/test/e2e/client"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// programs are the built binaries; TestMain sets them once, before any test.
var programs struct{ spate, anacrolix, pebble, nameserver string }

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	lab.RemoveStale()
	dir, err := os.MkdirTemp("", "spate-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// The clients that drop privileges, or the tracker that does, have to get here.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, p := range []struct {
		path *string
		pkg  string
	}{
		{&programs.anacrolix, "./anacrolix"},
		{&programs.pebble, "github.com/letsencrypt/pebble/v2/cmd/pebble"},
		{&programs.nameserver, "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv"},
	} {
		*p.path = filepath.Join(dir, filepath.Base(p.pkg))
		if err := build(".", *p.path, p.pkg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	programs.spate = filepath.Join(os.Getenv("SPATE_BIN"), "spate")
	if os.Getenv("SPATE_BIN") == "" {
		programs.spate = filepath.Join(dir, "spate")
		if err := build("../..", programs.spate, "./cmd/spate"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// build compiles the main package pkg of the module in dir.
func build(dir, out, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if msg, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, msg)
	}
	return nil
}

// trackerPort is free on every host of a lab.
const trackerPort = 3000

// startSpate runs the tracker with the given configuration.
func startSpate(t testing.TB, host *lab.Host, config string) *lab.Process {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "spate.toml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return host.Start(t, lab.Command{Path: programs.spate, Args: []string{"-c", path}, Home: home})
}

// announceURL is the tracker's address as a torrent carries it.
func announceURL(scheme string, addr netip.Addr, port uint16) string {
	return scheme + "://" + netip.AddrPortFrom(addr, port).String() + "/announce"
}

// answers waits until the tracker behind url answers scrapes from host.
func answers(t testing.TB, host *lab.Host, url string, alive ...*lab.Process) {
	t.Helper()
	lab.Eventually(t, 45*time.Second, "answer of "+url, func() error {
		_, err := swarm.Scrape(host.HTTPClient(), url, [20]byte{})
		return err
	}, alive...)
}

// counts waits until a scrape of the torrent is one of the wanted ones.
func counts(t testing.TB, within time.Duration, host *lab.Host, url string, tr *swarm.Torrent, alive []*client.Peer, want ...swarm.Counts) {
	t.Helper()
	web := host.HTTPClient()
	lab.Eventually(t, within, fmt.Sprintf("scrape of %v", want), func() error {
		got, err := swarm.Scrape(web, url, tr.InfoHash)
		if err != nil {
			return err
		}
		for _, w := range want {
			if got == w {
				return nil
			}
		}
		return fmt.Errorf("scrape: %v", got)
	}, processes(alive)...)
}

func processes(peers []*client.Peer) []*lab.Process {
	var ps []*lab.Process
	for _, p := range peers {
		ps = append(ps, p.Process)
	}
	return ps
}
