//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLogIsGone: the tracker answers and stops, whatever becomes of its log.
// The level is that which writes most, a line for each request.
func TestLogIsGone(t *testing.T) {
	binary := realBinary(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0) // what a full disk does
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	reader, hung, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer hung.Close()
	read, broken, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]*os.File{"full disk": full, "reader hangs": hung, "reader is gone": broken} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "spate.toml")
			writeFile(t, file, fmt.Sprintf("log_level = \"trace\"\n[network]\nuse_ipv4 = false\nuse_ipv6 = false\n[[listeners]]\naddress = \"unix:%s\"\nproxy = \"header\"\n", socket))
			cmd := exec.Command(binary, "-c", file)
			cmd.Stderr = log
			tr := launch(t, cmd)
			client := &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			}}}
			defer client.CloseIdleConnections()
			for range 200 {
				// Without the header of a proxy that is a failure, which is an answer.
				if got := fetch(t, client, "http://tracker/announce"+announceQuery+strings.Repeat("&x=y", 250)); !strings.HasPrefix(got, "d") {
					t.Fatalf("answered %q", got)
				}
			}
			if err := tr.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestOutputIsFull: who asks for output that cannot be written is not told that all
// is well.
func TestOutputIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"-h"}, {"-v"}, {"-p"}, {"-P", "check"}, {"check"}} {
		var stderr strings.Builder
		if code := run(args, full, &stderr); code != exitError || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v ends with %d and says %q", args, code, stderr.String())
		}
	}
}
