//go:build linux

// Command tls measures what TLS costs beyond its handshakes: the resident
// memory of an idle connection, by what its client offered, and the CPU time of
// a request on a kept connection, against one without TLS that the same driver
// carries.
//
//	go run ./bench/tls -idle 10000 -rounds 5
//
// The tracker, which it builds, and this program need as many descriptors as
// there are idle connections, and some.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"spate/internal/bench"
)

func main() {
	idle := flag.Int("idle", 10_000, "idle connections, 0 to leave their memory out")
	rounds := flag.Int("rounds", 5, "times that kept connections are measured, 0 to leave them out")
	kept := flag.Int("kept", 64, "kept connections")
	length := flag.Duration("time", 2*time.Second, "length of one measurement")
	limit := flag.Float64("limit", 0, "fail above so many KiB for an idle connection; 0 never does")
	serve := flag.String("serve", "", "be the server of kept connections: plain, or the directory of a certificate")
	flag.Parse()
	err := error(nil)
	if *serve != "" {
		err = serveKept(*serve)
	} else {
		err = run(*idle, *limit, *rounds, *kept, *length)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/tls:", err)
		os.Exit(1)
	}
}

func run(idle int, limit float64, rounds, kept int, length time.Duration) error {
	dir, err := os.MkdirTemp("", "bench-tls-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := bench.WriteCertificate(dir); err != nil {
		return err
	}
	if idle > 0 {
		if err := measureIdle(dir, idle, limit); err != nil {
			return err
		}
	}
	if rounds > 0 {
		return measureKept(dir, rounds, kept, length)
	}
	return nil
}

// An offer is what clients ask for.
type offer struct {
	name   string
	client *tls.Config
}

func offers() []offer {
	classic := []tls.CurveID{tls.X25519, tls.CurveP256}
	return []offer{
		{"TLS 1.3, hello of 1.5 KB (hybrid key exchange)", &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}},
		{"TLS 1.3, hello of 0.3 KB", &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", CurvePreferences: classic}},
		{"TLS 1.2", &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", CurvePreferences: classic, MaxVersion: tls.VersionTLS12}},
	}
}

// measureIdle prints the memory of idle connections to the tracker itself.
func measureIdle(dir string, n int, limit float64) error {
	spate := filepath.Join(dir, "spate")
	build := exec.Command("go", "build", "-o", spate, "./cmd/spate")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("building the tracker, from the repository's root: %w", err)
	}
	fmt.Printf("| %d idle connections | KiB each, at once | KiB each, at rest |\n|---|---|---|\n", n)
	worst := 0.0
	for _, o := range offers() {
		atOnce, atRest, err := idleMemory(dir, spate, n, o)
		if err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		fmt.Printf("| %s | %.2f | %.2f |\n", o.name, atOnce, atRest)
		worst = max(worst, atRest)
	}
	if limit > 0 && worst > limit {
		return fmt.Errorf("an idle connection takes %.2f KiB, more than %.2f", worst, limit)
	}
	return nil
}

// idleMemory returns the resident KiB of each of n connections that have
// announced once: right after the last one, and once nothing changes any more.
func idleMemory(dir, spate string, n int, o offer) (atOnce, atRest float64, err error) {
	address, err := freeAddress()
	if err != nil {
		return 0, 0, err
	}
	config := filepath.Join(dir, "spate.toml")
	text := fmt.Sprintf(`log_level = "warn"
[network]
use_ipv6 = false
address_ipv4 = %[2]q
enable_tls = true
tls_certificate_path = "%[1]s/cert.pem"
tls_private_key_path = "%[1]s/key.pem"
[cleaning]
max_connection_idle = 3600
`, dir, address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return 0, 0, err
	}
	cmd := exec.Command(spate, "-c", config)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer stop(cmd)
	if err := awaitListener(address); err != nil {
		return 0, 0, err
	}
	before, _, err := bench.Resident(cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	if err := each(conns, func(i int) (net.Conn, error) {
		c, err := tls.Dial("tcp", address, o.client)
		if err == nil {
			err = announce(c, make([]byte, replyRoom), i)
		}
		return c, err
	}); err != nil {
		return 0, 0, err
	}
	per := func(bytes uint64) float64 { return (float64(bytes) - float64(before)) / 1024 / float64(n) }
	last, _, err := bench.Resident(cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	atOnce = per(last)
	last, err = settled(cmd.Process.Pid, last)
	return atOnce, per(last), err
}

// settled returns the resident memory of a process, in bytes, once it has not
// changed for a while. Last is what it was.
func settled(pid int, last uint64) (uint64, error) {
	const calm = 8 // seconds without a change
	for same := 0; same < calm; {
		time.Sleep(time.Second)
		now, _, err := bench.Resident(pid)
		if err != nil {
			return 0, err
		}
		if same++; now*100 < last*99 || now*99 > last*100 {
			same = 0
		}
		last = now
	}
	return last, nil
}

// measureKept compares kept connections, plain and TLS, of the driver that
// carries TLS.
func measureKept(dir string, rounds, conns int, length time.Duration) error {
	client := &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"}
	var ratios, plains, secures []float64
	for range rounds {
		plain, err := keptCost("plain", conns, length, func(a string) (net.Conn, error) { return net.Dial("tcp", a) })
		if err != nil {
			return err
		}
		secure, err := keptCost(dir, conns, length, func(a string) (net.Conn, error) { return tls.Dial("tcp", a, client) })
		if err != nil {
			return err
		}
		plains, secures = append(plains, plain), append(secures, secure)
		ratios = append(ratios, secure/plain)
	}
	for _, column := range [][]float64{ratios, plains, secures} {
		slices.Sort(column)
	}
	middle := rounds / 2
	fmt.Printf("\n| %d kept connections | CPU µs per request, median (best) |\n|---|---|\n", conns)
	fmt.Printf("| plain | %.1f (%.1f) |\n| TLS 1.3 | %.1f (%.1f) |\n", plains[middle], plains[0], secures[middle], secures[0])
	fmt.Printf("| ratio, median (range) | %.2f (%.2f–%.2f) |\n", ratios[middle], ratios[0], ratios[rounds-1])
	return nil
}
