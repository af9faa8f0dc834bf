package e2e

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"spate/test/e2e/client"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// TestTransferOverHTTPS moves files between clients that check the tracker's
// certificate against the test's authority.
func TestTransferOverHTTPS(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	tracker := network.NewHost(t, "tracker", lab.Dual)
	authority := lab.NewAuthority(t)
	cert, key, _ := authority.Issue(t, tracker)
	spate := startSpate(t, tracker, fmt.Sprintf(briskConfig+`
[network]
enable_tls = true
tls_certificate_path = %q
tls_private_key_path = %q
# The test's own scrapes come here, without TLS.
[[listeners]]
address = "0.0.0.0:8080"
`, cert, key))
	plain := announceURL("http", tracker.IPv4, 8080)
	answers(t, tracker, plain, spate)

	// A client that does not know the authority is turned away.
	if _, err := swarm.Scrape(tracker.HTTPClient(), announceURL("https", tracker.IPv4, trackerPort), [20]byte{}); err == nil {
		t.Error("a client without the authority took the certificate")
	}
	var kinds []client.Kind
	for _, k := range client.Kinds(programs.anacrolix) {
		if k.ChecksCA {
			kinds = append(kinds, k)
		}
	}
	r := round{
		network: network, tracker: tracker, family: lab.IPv4, ca: authority.File,
		url: announceURL("https", tracker.IPv4, trackerPort), scrapeURL: plain,
	}
	r.run(t, kinds[0], kinds, swarm.Multi)
}

// TestDefaults starts the tracker without a configuration, as a first-time user
// does, and stops it.
func TestDefaults(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := tracker.Start(t, lab.Command{Path: programs.spate, Home: t.TempDir()})
	for _, family := range []lab.Families{lab.IPv4, lab.IPv6} {
		url := announceURL("http", tracker.Addr(family), trackerPort)
		answers(t, tracker, url, spate)
		if log := spate.Log(t); !strings.Contains(log, url) {
			t.Errorf("the log does not name %s:\n%s", url, log)
		}
	}
	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
}

// TestPrivilegesAreDropped looks at the running process from outside: both
// families, TLS, a list and metrics are on, and each of its threads has lost all.
func TestPrivilegesAreDropped(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	jail := t.TempDir()
	served, refused := [20]byte{1}, [20]byte{2}
	writeList(t, filepath.Join(jail, "list.txt"), served)
	authority := lab.NewAuthority(t)
	certFile, keyFile, _ := authority.Issue(t, tracker)
	for from, to := range map[string]string{certFile: "cert.pem", keyFile: "key.pem"} {
		if err := os.WriteFile(filepath.Join(jail, to), []byte(read(t, from)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spate := startSpate(t, tracker, fmt.Sprintf(`
[network]
address_ipv4 = "0.0.0.0:80"
address_ipv6 = "[::]:80"
tls_certificate_path = "/cert.pem"
tls_private_key_path = "/key.pem"
[[listeners]]
address = "0.0.0.0:443"
tls = true
[metrics]
run_prometheus_endpoint = true
[privileges]
drop_privileges = true
chroot_path = %q
user = "nobody"
group = "nogroup"
[access_list]
mode = "allow"
path = "/list.txt"
`, jail))
	url := announceURL("http", tracker.IPv4, 80)
	answers(t, tracker, url, spate)
	answers(t, tracker, announceURL("http", tracker.IPv6, 80), spate)
	mayDoNothing(t, spate.Pid())
	if root, err := os.Readlink(fmt.Sprintf("/proc/%d/root", spate.Pid())); err != nil || root != jail {
		t.Errorf("root directory %q, %v; want %s", root, err, jail)
	}
	web := tracker.HTTPClient()
	if _, err := (swarm.Announce{InfoHash: served, Port: 7001}).Do(web, url); err != nil {
		t.Errorf("announce of a listed torrent: %v", err)
	}
	// The authority is not known here, so the handshake ends with its certificate.
	if _, err := swarm.Scrape(web, announceURL("https", tracker.IPv4, 443), served); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a scrape over TLS from who does not know the authority: %v", err)
	}
	if body := fetch(t, web, "http://127.0.0.1:9000/metrics"); !strings.Contains(body, "process_cpu_seconds_total ") || !strings.Contains(body, `spate_peers{family="ipv4"} 1`) {
		t.Errorf("metrics from inside the new root:\n%.2000s", body)
	}
	// The list can still be read again, from inside.
	writeList(t, filepath.Join(jail, "list.txt"), served, refused)
	spate.Signal(t, syscall.SIGUSR1)
	lab.Eventually(t, 45*time.Second, "new list", func() error {
		_, err := swarm.Announce{InfoHash: refused, Port: 7001}.Do(web, url)
		return err
	}, spate)
	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
}

// mayDoNothing reads back what each thread of a process may do.
func mayDoNothing(t testing.TB, pid int) {
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
			"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t \n", "NoNewPrivs:\t1",
			"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000",
		} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s lacks %q:\n%s", task, want, status)
			}
		}
	}
}

// fetch returns the body of a reply with status 200.
func fetch(t testing.TB, web *http.Client, url string) string {
	t.Helper()
	reply, err := web.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", url, reply.Status, err)
	}
	return string(body)
}

// reloads is how often the list is replaced under load.
const reloads = 20

// TestReloadUnderLoad replaces the access list again and again while clients
// announce: not one request may fail, and each new list has to take effect.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	network := lab.NewNetwork(t)
	tracker := network.NewHost(t, "tracker", lab.Dual)
	list := filepath.Join(t.TempDir(), "list.txt")
	always, sometimes := [20]byte{1}, [20]byte{2}
	writeList(t, list, always)
	spate := startSpate(t, tracker, fmt.Sprintf("[access_list]\nmode = \"allow\"\npath = %q\n", list))
	url := announceURL("http", tracker.IPv4, trackerPort)
	answers(t, tracker, url, spate)

	var stop atomic.Bool
	var served atomic.Int64
	var wg sync.WaitGroup
	for worker := range 4 {
		host := network.NewHost(t, "client", lab.IPv4)
		wg.Go(func() {
			web := host.HTTPClient()
			for n := 0; !stop.Load(); n++ {
				_, err := swarm.Announce{InfoHash: always, Port: uint16(1024 + worker*1000 + n%1000), Left: 1}.Do(web, url)
				if err != nil {
					t.Errorf("an announce of the listed torrent failed: %v", err)
					return
				}
				served.Add(1)
			}
		})
	}
	defer wg.Wait()
	defer stop.Store(true)

	web := tracker.HTTPClient()
	for n := range reloads {
		listed := n%2 == 0
		if listed {
			writeList(t, list, always, sometimes)
		} else {
			writeList(t, list, always)
		}
		before := served.Load()
		spate.Signal(t, syscall.SIGUSR1)
		lab.Eventually(t, 45*time.Second, "effect of the new list", func() error {
			_, err := swarm.Announce{InfoHash: sometimes, Port: 7001}.Do(web, url)
			if listed != (err == nil) {
				return fmt.Errorf("listed: %v, announced: %v", listed, err)
			}
			if served.Load() == before {
				return fmt.Errorf("no announce went on meanwhile")
			}
			return nil
		}, spate)
	}
	t.Logf("%d announces were served during %d reloads", served.Load(), reloads)
}

// TestSocketActivation has systemd's own program pass the listener.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	home := t.TempDir()
	config := filepath.Join(home, "spate.toml")
	text := "[network]\nuse_ipv4 = false\nuse_ipv6 = false\n[[listeners]]\naddress = \"systemd:http\"\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	activator := tracker.Start(t, lab.Command{
		Path: "systemd-socket-activate",
		Args: []string{"--listen=0.0.0.0:3000", "--fdname=http", programs.spate, "-c", config},
		Home: home,
	})
	url := announceURL("http", tracker.IPv4, trackerPort)
	answers(t, tracker, url, activator)
	if err := activator.Stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
}

// writeList writes an access list in one step, as an editor or a script should.
func writeList(t testing.TB, path string, hashes ...[20]byte) {
	t.Helper()
	var text strings.Builder
	for _, h := range hashes {
		text.WriteString(hex.EncodeToString(h[:]) + "\n")
	}
	if err := os.WriteFile(path+".new", []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
