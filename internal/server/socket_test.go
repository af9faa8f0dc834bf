package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"spate/internal/server"
	"spate/internal/server/servertest"
)

const request = "GET /announce HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 192.0.2.7\r\nConnection: close\r\n\r\n"

func newServer(listeners ...server.Listener) (*server.Server, error) {
	return server.New(server.Config{Listeners: listeners, ClientHeader: "X-Forwarded-For", NoClientAddress: []byte("no client")},
		func() server.Handler { return servertest.Handler{} }, nil)
}

// ask sends one request and returns the reply.
func ask(t *testing.T, network, address string) string {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// TestAllOrNothing: when one listener fails, the error names it and says what
// to do, and nothing stays bound.
func TestAllOrNothing(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	_, err = newServer(
		server.Listener{Network: server.NetworkTCP4, Address: addr},
		server.Listener{Name: "[[listeners]] 2", Network: server.NetworkTCP4, Address: taken.Addr().String()},
		server.Listener{Network: server.NetworkUnix, Address: "/nonexistent/socket"},
	)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"[[listeners]] 2", "in use", "another port", "/nonexistent/socket"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	again, err := net.Listen("tcp4", addr)
	if err != nil {
		t.Fatalf("the good listener stayed bound: %v", err)
	}
	_ = again.Close()
}

// TestTwoServers: a second server finds the first one, whatever drivers they
// have.
func TestTwoServers(t *testing.T) {
	first, err := newServer(server.Listener{Network: server.NetworkTCP4, Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if _, err := newServer(server.Listener{Network: server.NetworkTCP4, Address: first.Addrs()[0].String()}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("binding an address twice: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	_, err := server.New(server.Config{
		Listeners: []server.Listener{
			{Network: "udp", Address: "x"},
			{Network: server.NetworkTCP4, Address: "[::1]:80"},
			{Network: server.NetworkTCP6, Address: "127.0.0.1:80"},
			{Network: server.NetworkTCP4, Address: "localhost"},
			{Network: server.NetworkTCP4, Address: "127.0.0.1:1", TLS: true},
			{Network: server.NetworkTCP4, Address: "127.0.0.1:2", Proxy: server.ProxyHeader},
			{Network: server.NetworkInherited, Name: "web"},
		},
		HeadTimeout: -1, MaxRequests: -1,
	}, func() server.Handler { return servertest.Handler{} }, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`unknown network "udp"`, "no IPv4 address", "no IPv6 address", `"localhost" is no address`, "needs a certificate",
		"name of the header", "listener web: no socket", "head timeout", "requests per connection",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := newServer(server.Listener{Network: server.NetworkUnix, Address: path, Mode: 0o660, Proxy: server.ProxyHeader, Owner: &server.Owner{UID: -1, GID: -1}})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v (%v), want mode 0660", info, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if got := ask(t, "unix", path); !strings.HasSuffix(got, "192.0.2.7 /announce?") {
		t.Errorf("read %q", got)
	}
	// Somebody listens: a second server must not take the path.
	if _, err := newServer(server.Listener{Network: server.NetworkUnix, Address: path}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("binding a path twice: %v", err)
	}
	if got := ask(t, "unix", path); !strings.HasSuffix(got, "192.0.2.7 /announce?") {
		t.Errorf("after the second server, read %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file stays: %v", err)
	}
}

// TestUnixDirect: a unix socket has no client address, so whoever does not say
// it is told so.
func TestUnixDirect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	start(t, server.Config{
		Listeners:       []server.Listener{{Network: server.NetworkUnix, Address: path}},
		NoClientAddress: []byte("no client"),
	}, io.Discard)
	if got := ask(t, "unix", path); !strings.HasSuffix(got, "\r\n\r\nno client") {
		t.Errorf("read %q", got)
	}
}

func TestStaleUnixSocket(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale")
	l, err := net.Listen("unix", stale)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = l.Close()
	s, err := newServer(server.Listener{Network: server.NetworkUnix, Address: stale})
	if err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	s.Close()

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newServer(server.Listener{Network: server.NetworkUnix, Address: file}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("over a file: %v", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "precious" {
		t.Errorf("the file is %q (%v)", got, err)
	}
}

// TestUnixPathTooLong: the system's own word for it is "invalid argument".
func TestUnixPathTooLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 200))
	if _, err := newServer(server.Listener{Network: server.NetworkUnix, Address: path}); err == nil || !strings.Contains(err.Error(), "may have 10") {
		t.Errorf("with a path of %d bytes: %v", len(path), err)
	}
}

func TestAbstractSocket(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // there are none elsewhere
	}
	name := "@" + t.TempDir()
	start(t, server.Config{
		Listeners:    []server.Listener{{Network: server.NetworkUnix, Address: name, Proxy: server.ProxyHeader}},
		ClientHeader: "X-Forwarded-For",
	}, io.Discard)
	if got := ask(t, "unix", name); !strings.HasSuffix(got, "192.0.2.7 /announce?") {
		t.Errorf("read %q", got)
	}
}

func TestInheritedSocket(t *testing.T) {
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
	s := start(t, server.Config{Listeners: []server.Listener{{Network: server.NetworkInherited, Name: "web", File: f}}}, io.Discard)
	if s.Addrs()[0].String() != l.Addr().String() {
		t.Errorf("the address is %v, want %v", s.Addrs()[0], l.Addr())
	}
	if got := ask(t, "tcp", l.Addr().String()); !strings.HasSuffix(got, "127.0.0.1 /announce?") {
		t.Errorf("read %q", got)
	}

	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wrong, err := c.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if _, err := newServer(server.Listener{Network: server.NetworkInherited, Name: "web", File: wrong}); err == nil || !strings.Contains(err.Error(), "web") {
		t.Errorf("with a socket that does not listen: %v", err)
	}
}
