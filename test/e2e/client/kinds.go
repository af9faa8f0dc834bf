package client

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"spate/test/e2e/lab"
)

// startTransmission runs transmission-daemon, which takes up the torrent from its
// watch directory, and finds out by itself that a seeder has the content.
func startTransmission(t testing.TB, j Job) *lab.Process {
	t.Helper()
	torrent, err := os.ReadFile(j.Torrent)
	if err != nil {
		t.Fatal(err)
	}
	write(t, j.Home, "watch/job.torrent", "%s", torrent)
	write(t, j.Home, "settings.json", `{
  "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
  "port-forwarding-enabled": false, "peer-port": %d,
  "download-dir": %q, "watch-dir": %q, "watch-dir-enabled": true, "preallocation": 0
}`, Port, j.Dir, filepath.Join(j.Home, "watch"))
	var env []string
	if j.CA != "" {
		env = []string{"CURL_CA_BUNDLE=" + j.CA, "TR_CURL_SSL_VERIFY=1"}
	}
	p := j.Host.Start(t, lab.Command{
		Path: "transmission-daemon",
		Args: []string{"--foreground", "--config-dir", j.Home, "--log-debug"},
		Home: j.Home,
		Env:  env,
	})
	t.Cleanup(func() {
		if t.Failed() && p.Err() == nil {
			t.Log(j.Host.Run(t, "transmission-remote", "127.0.0.1", "--torrent", "all", "--info", "--info-peers", "--info-trackers"))
		}
	})
	return p
}

// pauseTransmission stops the daemon's torrents. Version 3.00 drops its last
// announces when it exits: nothing is sent once the session is closing.
func pauseTransmission(t testing.TB, host *lab.Host) {
	t.Helper()
	host.Run(t, "transmission-remote", "127.0.0.1", "--torrent", "all", "--stop")
}

// startAria2 runs aria2c, which seeds until it is stopped.
func startAria2(t testing.TB, j Job) *lab.Process {
	t.Helper()
	args := []string{
		"--no-conf", "--enable-dht=false", "--enable-dht6=false", "--enable-peer-exchange=false",
		"--bt-enable-lpd=false", "--listen-port=" + strconv.Itoa(Port), "--dir=" + j.Dir,
		"--seed-ratio=0.0", "--file-allocation=none", "--summary-interval=0", "--console-log-level=notice",
	}
	if j.Seed {
		args = append(args, "--check-integrity=true")
	}
	if j.CA != "" {
		args = append(args, "--ca-certificate="+j.CA)
	}
	return j.Host.Start(t, lab.Command{Path: "aria2c", Args: append(args, j.Torrent), Home: j.Home})
}

// startRTorrent runs rtorrent without its screen. Its hash check comes before its
// first announce. Another one at the end would make it forget event=completed.
func startRTorrent(t testing.TB, j Job) *lab.Process {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(j.Home, "session"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := write(t, j.Home, "rtorrent.rc", `
system.daemon.set = true
session.path.set = "%s"
directory.default.set = "%s"
network.port_range.set = %d-%d
network.port_random.set = no
dht.mode.set = disable
protocol.pex.set = no
trackers.use_udp.set = no
pieces.hash.on_completion.set = no
load.start = "%s"
`, filepath.Join(j.Home, "session"), j.Dir, Port, Port, j.Torrent)
	return j.Host.Start(t, lab.Command{Path: "rtorrent", Args: []string{"-n", "-o", "import=" + config}, Home: j.Home})
}

// startQBittorrent runs qbittorrent-nox without its web interface.
func startQBittorrent(t testing.TB, j Job) *lab.Process {
	t.Helper()
	write(t, j.Home, "qBittorrent/config/qBittorrent.conf", `[LegalNotice]
Accepted=true

[BitTorrent]
Session\DHTEnabled=false
Session\PeXEnabled=false
Session\LSDEnabled=false
Session\Port=%d
Session\DefaultSavePath=%s
Session\TempPathEnabled=false

[Network]
PortForwardingEnabled=false

[Preferences]
WebUI\Enabled=false
General\Locale=en
`, Port, j.Dir)
	return j.Host.Start(t, lab.Command{
		Path: "qbittorrent-nox",
		Args: []string{"--profile=" + j.Home, "--save-path=" + j.Dir, "--skip-dialog=true", j.Torrent},
		Home: j.Home,
		Env:  []string{"QT_QPA_PLATFORM=offscreen"},
	})
}

// anacrolixStarter returns a starter for the built program in ../anacrolix.
func anacrolixStarter(program string) func(t testing.TB, j Job) *lab.Process {
	return func(t testing.TB, j Job) *lab.Process {
		t.Helper()
		return j.Host.Start(t, lab.Command{
			Path: program,
			Args: []string{"-torrent", j.Torrent, "-dir", j.Dir, "-port", strconv.Itoa(Port)},
			Home: j.Home,
		})
	}
}
