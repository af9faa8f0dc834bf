package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSocketActivation hands the tracker a listening socket as systemd does:
// as descriptor 3, with its name and the process's number in the environment.
func TestSocketActivation(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "spate.toml")
	writeFile(t, file, "[network]\nuse_ipv4 = false\nuse_ipv6 = false\n[[listeners]]\naddress = \"systemd:web\"\n")
	at, socket := listening(t, "tcp", "127.0.0.1:0")
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$0" -c "$1"`, realBinary(t), file)
	cmd.ExtraFiles = []*os.File{socket}
	launch(t, cmd)
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	if got := fetch(t, client, "http://"+at.String()+"/announce"+announceQuery); !strings.Contains(got, "8:completei1e") {
		t.Errorf("got %q", got)
	}
}

// listening returns a listening socket to pass to a process, until the end of the test.
func listening(t *testing.T, network, address string) (net.Addr, *os.File) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return l.Addr(), f
}

// TestPassedSocketInTheWay: to the kernel a socket that systemd has opened for the
// tracker is in use like any other. Who has left the address in the configuration
// looks in vain for a process that could be stopped.
func TestPassedSocketInTheWay(t *testing.T) {
	dir := t.TempDir()
	binary, file := realBinary(t), filepath.Join(dir, "spate.toml")
	unix := filepath.Join(dir, "sock")
	tcp, web := listening(t, "tcp4", "127.0.0.1:0")
	_, proxy := listening(t, "unix", unix)
	at := tcp.String()
	everywhere := fmt.Sprintf("0.0.0.0:%d", tcp.(*net.TCPAddr).Port)

	const (
		served  = "the service manager has opened it, and [[listeners]] address = \"systemd:web\" serves it: needs another one, or none\n"
		instead = "the service manager has opened it and passed it as %[1]q: serve it by a [[listeners]] table with address = \"systemd:%[1]s\" instead, or take it out of the socket unit\n"
	)
	for name, test := range map[string]struct{ text, want string }{
		"default pair": {
			"network.use_ipv6 = false\nnetwork.address_ipv4 = \"" + everywhere + "\"\n[[listeners]]\naddress = \"systemd:web\"\n",
			fmt.Sprintf("%s:2: [network] address_ipv4 = %q: %s", file, everywhere, served),
		},
		"unasked for": {
			"network.use_ipv6 = false\nnetwork.address_ipv4 = \"" + at + "\"\n",
			fmt.Sprintf("%s:2: [network] address_ipv4 = %q: %s", file, at, fmt.Sprintf(instead, "web")),
		},
		"unix": {
			"network.use_ipv4 = false\nnetwork.use_ipv6 = false\n[[listeners]]\naddress = \"unix:" + unix + "\"\nproxy = \"header\"\n",
			fmt.Sprintf("%s:4: [[listeners]] address = %q: %s", file, "unix:"+unix, fmt.Sprintf(instead, "proxy")),
		},
		"operator's": {
			"network.use_ipv4 = false\nnetwork.use_ipv6 = false\nadmin.address = \"" + at + "\"\n[[listeners]]\naddress = \"systemd:web\"\n",
			fmt.Sprintf("%s:3: [admin] address = %q: %s", file, at, served),
		},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, file, test.text)
			for _, verb := range []string{"", "check"} { // both are errors
				cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:proxy exec "$0" $1 -c "$2"`, binary, verb, file)
				cmd.ExtraFiles = []*os.File{web, proxy}
				if out, err := cmd.CombinedOutput(); err == nil || string(out) != test.want {
					t.Errorf("%q: %v\n%swant\n%s", verb, err, out, test.want)
				}
			}
		})
	}
}

// TestPassedSocketThatNobodyServes: connections to it would wait without a word.
func TestPassedSocketThatNobodyServes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spate.toml")
	writeFile(t, file, "network.use_ipv4 = false\nnetwork.use_ipv6 = false\n[[listeners]]\naddress = \"systemd:web\"\n")
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:spare exec "$0" check -c "$1"`, realBinary(t), file)
	for range 2 {
		_, f := listening(t, "tcp4", "127.0.0.1:0")
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	const want = `warn: nobody serves the socket that the service manager passed as "spare", and who connects to it waits: it needs a [[listeners]] table with address = "systemd:spare"`
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(string(out), "nobody serves") != 1 || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%swant\n%s", err, out, want)
	}
}
