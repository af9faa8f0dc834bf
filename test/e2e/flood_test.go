package e2e

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// TestFloodOfInfoHashes: at its memory limit the tracker refuses new torrents, goes
// on serving those it has, and stays as large as it may be.
func TestFloodOfInfoHashes(t *testing.T) {
	t.Parallel()
	const (
		limit   = 8 << 20
		flood   = 500_000 // 40 MB of torrents
		slack   = 8 << 20 // of the collector, and of buffers
		perTurn = 50
	)
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, fmt.Sprintf(`
[network]
use_ipv6 = false
[protocol]
max_memory = %d
[metrics]
run_prometheus_endpoint = true
prometheus_endpoint_address = "127.0.0.1:9000"
`, limit))
	url := announceURL("http", tracker.IPv4, trackerPort)
	answers(t, tracker, url, spate)
	web := tracker.HTTPClient()
	known := swarm.Announce{InfoHash: [20]byte{1}, Port: 1000, Left: 1}
	if _, err := known.Do(web, url); err != nil {
		t.Fatal(err)
	}
	before := peakMemory(t, spate)

	refused := floodWith(t, tracker, announceHost(url), flood, perTurn)
	if refused < flood/2 || refused == flood {
		t.Errorf("%d of %d new torrents were refused", refused, flood)
	}
	known.Port = 2000
	if r, err := known.Do(web, url); err != nil || r.Incomplete != 2 || len(r.Peers) != 1 {
		t.Errorf("a new peer of a known torrent got %+v, %v", r, err)
	}
	unknown := swarm.Announce{InfoHash: [20]byte{2}, Port: 1000, Left: 1}
	if _, err := unknown.Do(web, url); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("a new torrent got the error %v, which does not say that the tracker is full", err)
	}
	metrics, err := swarm.Get(web, "http://127.0.0.1:9000/metrics")
	if err != nil {
		t.Fatal(err)
	}
	if used := sampleOf(t, metrics, "spate_store_memory_bytes"); used > limit || used < limit/2 {
		t.Errorf("the store says that it uses %.0f bytes of %d", used, limit)
	}
	if n := sampleOf(t, metrics, "spate_store_refusals_total"); n != float64(refused+1) {
		t.Errorf("%.0f torrents are counted as refused, %d were", n, refused+1)
	}
	grown := peakMemory(t, spate) - before
	t.Logf("the process grew by %d bytes from %d", grown, before)
	if grown > limit+slack {
		t.Errorf("the process grew by %d bytes, its limit is %d", grown, limit)
	}
	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
	if log := spate.Log(t); strings.Count(log, "the store is full: new torrents are refused") < 1 || strings.Count(log, "\n") > 100 {
		t.Errorf("the log should say it, and not for each of them:\n%s", log)
	}
}

func announceHost(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/announce")
}

// floodWith announces n random info hashes over one connection and returns how
// many the tracker refused for being full.
func floodWith(t *testing.T, host *lab.Host, addr string, n, perTurn int) (refused int) {
	t.Helper()
	conn, err := host.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	in := bufio.NewReaderSize(conn, 1<<16)
	for done := 0; done < n; done += perTurn {
		var out strings.Builder
		for range perTurn {
			fmt.Fprintf(&out, "GET /announce?info_hash=%s&peer_id=-SP0000-floodfloodfl&port=6881&left=1 HTTP/1.1\r\nHost: x\r\n\r\n", randomHash(rng))
		}
		if _, err := io.WriteString(conn, out.String()); err != nil {
			t.Fatalf("after %d announces: %v", done, err)
		}
		for range perTurn {
			body, err := readReply(in)
			if err != nil {
				t.Fatalf("after %d announces: %v", done, err)
			}
			if strings.Contains(body, "failure reason") {
				refused++
				if !strings.Contains(body, "full") {
					t.Fatalf("an announce was refused with %q", body)
				}
			}
		}
	}
	return refused
}

// randomHash returns 20 random bytes, escaped.
func randomHash(rng *rand.Rand) string {
	var b [60]byte
	for i := range 20 {
		b[3*i] = '%'
		hex.Encode(b[3*i+1:], []byte{byte(rng.Uint32())})
	}
	return string(b[:])
}

// readReply reads one reply of a kept connection and returns its body.
func readReply(in *bufio.Reader) (string, error) {
	length := -1
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if value, found := strings.CutPrefix(strings.ToLower(line), "content-length:"); found {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return "", err
			}
		}
	}
	if length < 0 {
		return "", fmt.Errorf("a reply without a length")
	}
	body := make([]byte, length)
	_, err := io.ReadFull(in, body)
	return string(body), err
}

// peakMemory returns the most memory that a process has had in RAM, in bytes.
func peakMemory(t *testing.T, p *lab.Process) int {
	t.Helper()
	status := read(t, fmt.Sprintf("/proc/%d/status", p.Pid()))
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(status)
	if m == nil {
		t.Fatalf("no VmHWM in\n%s", status)
	}
	kib, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// sampleOf returns the value of a metric without labels.
func sampleOf(t *testing.T, metrics []byte, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `\S* (\S+)$`).FindSubmatch(metrics)
	if m == nil {
		t.Fatalf("no %s among the metrics", name)
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestKilledWhileASnapshotIsWritten: the one before it is still whole.
func TestKilledWhileASnapshotIsWritten(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	path := filepath.Join(t.TempDir(), "swarms")
	config := fmt.Sprintf("[network]\nuse_ipv6 = false\n[snapshot]\npath = %q\ninterval = 1\n", path)
	url := announceURL("http", tracker.IPv4, trackerPort)
	web := tracker.HTTPClient()
	peer := swarm.Announce{InfoHash: [20]byte{1}, Port: 1000, Left: 0, Event: "completed"}

	spate := startSpate(t, tracker, config)
	answers(t, tracker, url, spate)
	if _, err := peer.Do(web, url); err != nil {
		t.Fatal(err)
	}
	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}

	spate = startSpate(t, tracker, config)
	answers(t, tracker, url, spate)
	floodWith(t, tracker, announceHost(url), 50_000, 50) // so that a write takes a while
	haltWhileWriting(t, spate, path+".tmp")
	if err := spate.Stop(t, syscall.SIGKILL); err == nil {
		t.Fatal("a killed process says that all is well")
	}
	if _, err := os.Stat(path + ".tmp"); err != nil {
		t.Fatal(err)
	}

	spate = startSpate(t, tracker, config)
	answers(t, tracker, url, spate)
	if got, err := swarm.Scrape(web, url, peer.InfoHash); err != nil || got.Complete != 1 || got.Downloaded != 1 {
		t.Errorf("after the kill a scrape says %v, %v", got, err)
	}
	if log := spate.Log(t); strings.Contains(log, "damaged") {
		t.Errorf("the snapshot is damaged:\n%s", log)
	}
}

// haltWhileWriting stops a process that makes the file at path again and again, and
// then renames it, in the middle of that.
func haltWhileWriting(t *testing.T, p *lab.Process, path string) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	if err := events.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	stat := fmt.Sprintf("/proc/%d/stat", p.Pid())
	for event := make([]byte, 4096); ; {
		if _, err := events.Read(event); err != nil {
			t.Fatalf("waiting for another write: %v", err)
		}
		p.Signal(t, syscall.SIGSTOP)
		lab.Eventually(t, 10*time.Second, "halt", func() error {
			if now := read(t, stat); !strings.Contains(now, ") T ") {
				return fmt.Errorf("it is in state %s", now)
			}
			return nil
		}, p)
		if _, err := os.Stat(path); err == nil {
			return
		}
		p.Signal(t, syscall.SIGCONT) // that one had been faster
	}
}

// TestSnapshotOnAFullDisk: the old snapshot stays, and the exit says so.
func TestSnapshotOnAFullDisk(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "swarms")
	config := fmt.Sprintf("[network]\nuse_ipv6 = false\n[snapshot]\npath = %q\n", path)
	url := announceURL("http", tracker.IPv4, trackerPort)
	spate := startSpate(t, tracker, config)
	answers(t, tracker, url, spate)
	if _, err := (swarm.Announce{InfoHash: [20]byte{1}, Port: 1000, Left: 1}).Do(tracker.HTTPClient(), url); err != nil {
		t.Fatal(err)
	}
	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)

	spate = startSpate(t, tracker, config)
	answers(t, tracker, url, spate)
	floodWith(t, tracker, announceHost(url), 5000, 50) // more than fits onto the disk
	if err := spate.Stop(t, syscall.SIGTERM); err == nil {
		t.Error("it stops as if the snapshot had been written")
	}
	if log := spate.Log(t); !strings.Contains(log, "no space left on device") || !strings.Contains(log, "the old one stays") {
		t.Errorf("the log does not say why:\n%s", log)
	}
	if after := read(t, path); after != before {
		t.Error("the old snapshot has changed")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
