package opstest

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// maxExposure is what systemd-analyze security may find in spate.service at
// most, in tenths: 13 is 1.3 of 10, "OK". The rest is what a tracker is for:
// sockets, and the host's network and /proc.
const maxExposure = "13"

// TestUnits: systemd understands every line of the units, and finds the service
// locked in.
func TestUnits(t *testing.T) {
	dir := t.TempDir()
	const installed = "/usr/local/bin/spate"
	service := read(t, filepath.Join(root, "deploy/systemd/spate.service"))
	if strings.Count(service, installed) != 1 {
		t.Fatalf("spate.service does not run %s", installed)
	}
	if !strings.Contains(service, "\nStateDirectory=spate\n") {
		t.Error("spate.service has no directory for the snapshot of spate.toml")
	}
	write(t, filepath.Join(dir, "spate.service"), strings.Replace(service, installed, filepath.Join(binDir, "spate"), 1))
	for _, name := range []string{"spate.socket", "spate-https.socket"} {
		write(t, filepath.Join(dir, name), read(t, filepath.Join(root, "deploy/systemd", name)))
	}

	if out := run(t, dir, "systemd-analyze", "verify", "--man=no", "./spate.service", "./spate.socket", "./spate-https.socket"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	run(t, dir, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+maxExposure, "./spate.service")
}

// TestSocketActivation starts the tracker as spate.socket does, with the
// configuration that goes with it.
func TestSocketActivation(t *testing.T) {
	dir := t.TempDir()
	config := read(t, filepath.Join(root, "deploy/systemd/spate.toml"))
	config = replaced(t, config, `"127.0.0.1:3001"`, `"unix:`+filepath.Join(shortDir(t), "admin")+`"`)
	// In its place the unit's StateDirectory.
	config = replaced(t, config, `"/var/lib/spate/swarms"`, `"`+filepath.Join(dir, "swarms")+`"`)
	write(t, filepath.Join(dir, "spate.toml"), config)
	name := submatch(read(t, filepath.Join(root, "deploy/systemd/spate.socket")), `FileDescriptorName=(\S+)`)

	address := quietAddress(t)
	cmd := exec.Command("systemd-socket-activate", "--listen="+address, "--fdname="+name,
		filepath.Join(binDir, "spate"), "-c", filepath.Join(dir, "spate.toml"))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer end(t, cmd)

	// The connection waits in the socket until the tracker takes it.
	reply := get(t, "http://"+address+"/announce?info_hash=AAAAAAAAAAAAAAAAAAAA&peer_id=-XX0001-abcdefghijkl&port=6881&left=0")
	if !strings.HasPrefix(reply, "d8:completei1e") {
		t.Errorf("answered %q", reply)
	}
}

// replaced returns text with old, which has to be there once, replaced by to.
func replaced(t *testing.T, text, old, to string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%s is there %d times, want once", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, to, 1)
}

// quietAddress returns a loopback address with a port that nobody else takes:
// the port is free now, and the address one of millions.
func quietAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get returns the body of a reply with status 200, trying until something
// listens.
func get(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := http.DefaultClient.Do(request)
		if err == nil {
			defer reply.Body.Close()
			body, err := io.ReadAll(reply.Body)
			if err != nil || reply.StatusCode != http.StatusOK {
				t.Fatalf("GET %s: %s, %v", url, reply.Status, err)
			}
			return string(body)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("GET %s: %v", url, err)
		case <-pause.C:
		}
	}
}
