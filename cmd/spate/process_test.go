//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realBinary builds spate as make build does: without cgo.
func realBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spate")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// A tracker is a running spate.
type tracker struct {
	cmd  *exec.Cmd
	log  string
	news *net.UnixConn
}

// launch starts cmd, which is a spate, and waits until it is ready. What it logs
// is kept, unless cmd says where to.
func launch(t *testing.T, cmd *exec.Cmd) *tracker {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	news, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { news.Close() })
	if cmd.Stderr == nil {
		cmd.Stdout, cmd.Stderr = log, log
	}
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+news.LocalAddr().String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tr := &tracker{cmd, log.Name(), news}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		tr.await(t, "STOPPING=1")
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v\n%s", err, tr.text(t))
		}
	})
	tr.await(t, "READY=1")
	return tr
}

// await waits until the tracker tells its service manager a state.
func (tr *tracker) await(t *testing.T, state string) {
	t.Helper()
	if err := tr.news.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	news := make([]byte, 4096)
	for {
		n, err := tr.news.Read(news)
		if err != nil {
			t.Fatalf("no news of %s: %v\n%s", state, err, tr.text(t))
		}
		if slices.Contains(strings.Split(string(news[:n]), "\n"), state) {
			return
		}
	}
}

func (tr *tracker) text(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(tr.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const announceQuery = "?info_hash=%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f%10%11%12%13%14&peer_id=-XX0000-012345678901&port=1000&left=0"

func fetch(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	reply, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, reply.Status, err)
	}
	return string(body)
}

// writePair writes a self-signed certificate and its key below dir.
func writePair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPrivilegeDrop runs the real binary: as root it has to be nobody, in an
// empty root, without any right, and still serve and reload everything. As
// another user it has to say that it needs root.
func TestPrivilegeDrop(t *testing.T) {
	jail := filepath.Join(t.TempDir(), "jail")
	if err := os.Mkdir(jail, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(jail, 0o755); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	writePair(t, jail)
	list := filepath.Join(jail, "list")
	file := filepath.Join(filepath.Dir(jail), "spate.toml")
	writeFile(t, list, "")
	writeFile(t, file, fmt.Sprintf(`
[network]
address_ipv4 = "127.0.0.1:0"
address_ipv6 = "[::1]:0"
tls_certificate_path = "/cert.pem"
tls_private_key_path = %q
[[listeners]]
address = "127.0.0.1:0"
tls = true
[privileges]
drop_privileges = true
chroot_path = %q
[access_list]
mode = "allow"
path = "list"
[metrics]
run_prometheus_endpoint = true
prometheus_endpoint_address = "127.0.0.1:0"
`, filepath.Join(jail, "key.pem"), jail))

	binary := realBinary(t)
	if os.Geteuid() != 0 {
		out, err := exec.Command(binary, "-c", file).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "[privileges] drop_privileges = true: needs a process that was started as root") {
			t.Errorf("got %v\n%s", err, out)
		}
		return
	}
	tr := launch(t, exec.Command(binary, "-c", file))
	checkThreads(t, tr.cmd.Process.Pid)
	root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", tr.cmd.Process.Pid))
	if err != nil || root != jail {
		t.Errorf("the root directory is %s, %v", root, err)
	}

	client := &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	urls := regexp.MustCompile(`announce_url=(\S+)`).FindAllStringSubmatch(tr.text(t), -1)
	if len(urls) != 3 || !strings.HasPrefix(urls[2][1], "https://") {
		t.Fatalf("it listens on %v", urls)
	}
	for _, url := range urls {
		if got := fetch(t, client, url[1]+announceQuery); !strings.Contains(got, "unregistered torrent") {
			t.Errorf("%s: %q", url[1], got)
		}
	}
	// A reload reads what lies in the new root, as the new user.
	writeFile(t, list, "0102030405060708090a0b0c0d0e0f1011121314\n")
	writePair(t, jail)
	if err := tr.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	tr.await(t, "READY=1")
	for _, url := range urls {
		if got := fetch(t, client, url[1]+announceQuery); !strings.Contains(got, "8:complete") {
			t.Errorf("%s after the reload: %q", url[1], got)
		}
	}
	if text := tr.text(t); strings.Contains(text, "level=ERROR") || !strings.Contains(text, "certificate loaded") {
		t.Error(text)
	}
}

// TestPoorRoot: a root without the rights that the drop takes hears which, while
// nothing has happened yet.
func TestPoorRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		return // TestPrivilegeDrop has what happens then
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "spate.toml")
	writeFile(t, file, fmt.Sprintf("[privileges]\ndrop_privileges = true\nchroot_path = %q\n", dir))
	for _, verb := range []string{"", "check"} {
		// Programs of root have the rights of the bounding set and no others.
		cmd := exec.Command("setpriv", "--bounding-set", "-setuid,-sys_chroot", realBinary(t))
		if verb != "" {
			cmd.Args = append(cmd.Args, verb)
		}
		cmd.Args = append(cmd.Args, "-c", file)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), ":2: [privileges] drop_privileges = true: this root lacks CAP_SETUID, CAP_SYS_CHROOT: ") {
			t.Errorf("%q: %v\n%s", verb, err, out)
		}
	}
}

// checkThreads reads back what each thread of a process may do.
func checkThreads(t *testing.T, pid int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) < 2 {
		t.Fatalf("threads: %v, %v", tasks, err)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, want := range []string{
			`(?m)^Uid:(\s+65534){4}$`, `(?m)^Gid:(\s+65534){4}$`, `(?m)^Groups:\s*$`, `(?m)^NoNewPrivs:\s+1$`,
			`(?m)^CapInh:\s+0+$`, `(?m)^CapPrm:\s+0+$`, `(?m)^CapEff:\s+0+$`, `(?m)^CapBnd:\s+0+$`, `(?m)^CapAmb:\s+0+$`,
		} {
			if !regexp.MustCompile(want).Match(status) {
				t.Errorf("%s: no %s in\n%s", task, want, status)
			}
		}
	}
}

// TestOutOfReach: what a reload could not read stops the start, while it can
// still be said.
func TestOutOfReach(t *testing.T) {
	if os.Geteuid() != 0 {
		return // TestPrivilegeDrop has what happens then
	}
	dir := t.TempDir()
	jail := filepath.Join(dir, "jail")
	if err := os.Mkdir(jail, 0o755); err != nil {
		t.Fatal(err)
	}
	outside, secret := filepath.Join(dir, "outside"), filepath.Join(jail, "secret")
	writeFile(t, outside, "")
	writeFile(t, secret, "")
	if err := os.Chmod(secret, 0o600); err != nil {
		t.Fatal(err)
	}
	binary, file := realBinary(t), filepath.Join(dir, "spate.toml")
	for path, want := range map[string]string{
		outside:  outside + " is out of reach once the root directory is " + jail,
		"secret": "user 65534, group 65534 cannot read /secret below " + jail,
		"none":   "there is neither none nor " + filepath.Join(jail, "none"),
	} {
		writeFile(t, file, fmt.Sprintf(
			"[privileges]\ndrop_privileges = true\nchroot_path = %q\n[access_list]\nmode = \"deny\"\npath = %q\n", jail, path))
		out, err := exec.Command(binary, "check", "-c", file).CombinedOutput()
		if err == nil || !strings.HasPrefix(string(out), fmt.Sprintf("%s:6: [access_list] path = %q: %s", file, path, want)) {
			t.Errorf("got %v\n%swant\n%s", err, out, want)
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSecondSignalEndsAtOnce: while a profile that somebody asked for holds the
// first one up, for longer than the test lasts.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	dir := t.TempDir()
	socket, file, log := filepath.Join(dir, "admin.sock"), filepath.Join(dir, "spate.toml"), filepath.Join(dir, "log")
	writeFile(t, file, fmt.Sprintf("[network]\naddress_ipv4 = \"127.0.0.1:0\"\nuse_ipv6 = false\n[limits]\nshutdown_timeout = 600\n[admin]\naddress = \"unix:%s\"\ndebug = true\n", socket))
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(realBinary(t), "-c", file)
	cmd.Stderr = out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, if all is well

	conn := dialWhenThere(t, socket)
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /debug/pprof/trace?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
				t.Errorf("it ended with %v", err)
			}
			return
		case <-tick.C:
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		}
	}
}

// TestOneSignalThatComesSeveralTimes: timeout(1) signals a process and then its
// group, which is no wish to end without an answer.
func TestOneSignalThatComesSeveralTimes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "spate.toml")
	writeFile(t, file, "[network]\naddress_ipv4 = \"127.0.0.1:0\"\nuse_ipv6 = false\n")
	cmd := exec.Command(realBinary(t), "-c", file)
	cmd.Env = os.Environ()
	tr := launch(t, cmd) // it has to exit with 0
	url := regexp.MustCompile(`http://(\S+)/announce`).FindStringSubmatch(tr.text(t))
	if url == nil {
		t.Fatalf("no announce URL in\n%s", tr.text(t))
	}
	conn, err := net.Dial("tcp", url[1])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	head := "GET /announce" + announceQuery + " HTTP/1.1\r\nHost: t\r\n\r\n"
	if _, err := io.WriteString(conn, head[:20]); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(conn, head[20:]); err != nil {
		t.Fatal(err)
	}
	reply, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(reply), "8:completei1e") {
		t.Errorf("got %q, %v", reply, err)
	}
}

// dialWhenThere connects to a unix socket that is about to be opened.
func dialWhenThere(t *testing.T, path string) net.Conn {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		conn, err := net.Dial("unix", path)
		if err == nil {
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
