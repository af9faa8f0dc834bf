package server_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"spate/internal/server"
)

const activationEnv = "SERVER_TEST_ACTIVATED"

// TestActivation starts a process as systemd would: with a listening socket as
// its third descriptor, named by the environment.
func TestActivation(t *testing.T) {
	if os.Getenv(activationEnv) != "" {
		activated(t)
		return
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// LISTEN_PID is the process's own, so it is set between fork and exec.
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, self, "-test.run=^TestActivation$", "-test.count=1")
	cmd.Env = append(os.Environ(), activationEnv+"=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=tracker")
	cmd.ExtraFiles = []*os.File{f}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "listens on "+l.Addr().String()) {
		t.Errorf("%v\n%s", err, out)
	}
}

func activated(t *testing.T) {
	files := server.Inherited()["tracker"]
	if len(files) != 1 {
		t.Fatalf("%d sockets are called tracker, want 1", len(files))
	}
	s, err := newServer(server.Listener{Network: server.NetworkInherited, Name: "tracker", File: files[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fmt.Println("listens on", s.Addrs()[0])
	if again := server.Inherited(); len(again) != 0 {
		t.Errorf("a second call finds %v", again)
	}
}
