//go:build !nobrowser

package e2e

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"spate/test/e2e/browser"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// illegible lists the texts that do not stand out from what is behind them by the
// contrast of WCAG 2.2 (1.4.3), as they are drawn: with opacities, and each on its
// nearest background.
const illegible = `(() => {
  const parse = c => { const n = c.match(/[\d.]+/g).map(Number); return {rgb: n.slice(0, 3), a: n.length > 3 ? n[3] : 1}; };
  const over = (top, a, below) => top.map((v, i) => v * a + below[i] * (1 - a));
  const light = rgb => rgb.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [.2126, .7152, .0722][i], 0);
  const bad = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; n = walk.nextNode();) {
    const e = n.parentElement, style = getComputedStyle(e);
    if (!n.data.trim() || !e.checkVisibility() || ["SCRIPT", "NOSCRIPT"].includes(e.tagName)) continue;
    let behind = [], opacity = 1;
    for (let p = e; p; p = p.parentElement) {
      const s = getComputedStyle(p), c = parse(s.backgroundColor);
      opacity *= Number(s.opacity);
      if (c.a > 0) behind.unshift(c);
    }
    const ground = behind.reduce((below, c) => over(c.rgb, c.a, below), [255, 255, 255]);
    const color = parse(style.color), text = over(color.rgb, color.a * opacity, ground);
    const [a, b] = [light(text), light(ground)].sort((x, y) => y - x), contrast = (a + .05) / (b + .05);
    const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    if (contrast < (large ? 3 : 4.5)) bad.push(n.data.trim() + ": " + contrast.toFixed(2));
  }
  return bad;
})()`

// unnamed lists what can be operated and has no name for who cannot see it.
const unnamed = `[...document.querySelectorAll("a, button, input, svg[tabindex]")].filter(e => !(e.getAttribute("aria-label") || e.textContent).trim()).map(e => e.outerHTML)`

// clipped lists the texts of which a part is cut off.
const clipped = `[...document.querySelectorAll(".tile h2, .tile .number, .tile .note, dd, dt, .value, .problem")].filter(e => e.checkVisibility() && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)`

// isLegible looks at a page in the light and in the dark, on a phone and on a desk.
func isLegible(t *testing.T, p *browser.Page, what string) {
	t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		p.Prefer(t, scheme)
		for _, width := range []int{320, 390, 768, 1280, 2560} {
			p.Resize(t, width)
			if got := browser.Eval[int](t, p, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%s, %s, %d wide: the page is %d wide", what, scheme, width, got)
			}
			for name, expression := range map[string]string{"illegible": illegible, "unnamed": unnamed, "clipped": clipped} {
				if list := browser.Eval[[]string](t, p, expression); len(list) > 0 {
					t.Errorf("%s, %s, %d wide: %s: %q", what, scheme, width, name, list)
				}
			}
		}
	}
	p.Prefer(t, "light")
	p.Resize(t, 1280)
}

// TestDashboardWarnings has one thing after the other go wrong for a tracker that
// serves all the while.
func TestDashboardWarnings(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	dir := t.TempDir()
	list, swarms := filepath.Join(dir, "list.txt"), filepath.Join(dir, "swarms")
	var hashes [][20]byte
	for i := range byte(5) {
		hashes = append(hashes, [20]byte{i + 1})
	}
	writeList(t, list, hashes...)
	if err := os.Mkdir(swarms, 0o755); err != nil {
		t.Fatal(err)
	}
	cert, key, _ := lab.NewAuthority(t).Issue(t, tracker) // for a day
	spate := startSpate(t, tracker, adminConfig+fmt.Sprintf(`
[network]
tls_certificate_path = %q
tls_private_key_path = %q
[[listeners]]
address = "0.0.0.0:443"
tls = true
[access_list]
mode = "allow"
path = %q
[snapshot]
path = %q
interval = 1
[protocol]
max_torrents = 4
[limits]
max_connections = 10
`, cert, key, list, filepath.Join(swarms, "state")))
	url := announceURL("http", tracker.IPv4, trackerPort)
	answers(t, tracker, url, spate)
	p := browser.Open(t, tracker, adminURL)
	warns := func(text string) {
		t.Helper()
		p.Shows(t, contains(warningText, text), warningText)
	}
	warns("The certificate tracker expires in ")
	p.Shows(t, "document.title.startsWith('(!) ')", "document.title")
	if n := browser.Eval[int](t, p, "document.getElementById('warning').children.length"); n != 1 {
		t.Errorf("%d warnings where only the certificate's is true: %q", n, browser.Eval[string](t, p, warningText))
	}

	web := tracker.HTTPClient()
	announce := func(hash [20]byte, port int) error {
		_, err := swarm.Announce{InfoHash: hash, Port: uint16(port), Left: 1}.Do(web, url)
		return err
	}
	for i, hash := range hashes {
		if err := announce(hash, 7000+i); (err == nil) != (i < 4) {
			t.Errorf("announce %d of 4 torrents: %v", i+1, err)
		}
	}
	warns("100 % of the allowed torrents are there.")
	warns("New torrents are refused: the swarms have reached max_memory or max_torrents.")

	for range 200 {
		var hash [20]byte
		_, _ = rand.Read(hash[:]) // it never fails
		if announce(hash, 7000) == nil {
			t.Error("an unlisted torrent was served")
		}
	}
	warns("of the requests are refused, most of them with the reason “unregistered”.")
	goWrong(t, p, tracker, spate, list, swarms)
	useUpDescriptors(t, p, tracker, spate)
	isLegible(t, p, "full of warnings")

	// What was mended is no longer shown.
	writeList(t, list, hashes...)
	spate.Signal(t, syscall.SIGUSR1)
	if err := os.Mkdir(swarms, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"access list", "snapshot"} {
		p.Shows(t, "!"+contains(warningText, text), warningText)
	}
	untroubled(t, p)
}

// goWrong breaks the list, takes the snapshot's directory away and uses up all
// connections.
func goWrong(t *testing.T, p *browser.Page, tracker *lab.Host, spate *lab.Process, list, swarms string) {
	t.Helper()
	for text, warning := range map[string]string{
		"this is no info hash\n": "The file of the access list is refused",
		"# nothing\n":            "The access list is empty",
	} {
		if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		spate.Signal(t, syscall.SIGUSR1)
		p.Shows(t, contains(warningText, warning), warningText)
	}
	if err := os.RemoveAll(swarms); err != nil {
		t.Fatal(err)
	}
	p.Shows(t, contains(warningText, "The last snapshot was not written"), warningText)
	release := hold(t, tracker, 12)
	p.Shows(t, contains(warningText, "Connections are refused: max_connections are open."), warningText)
	release()
}

// useUpDescriptors leaves the tracker fewer descriptors than it may have connections.
func useUpDescriptors(t *testing.T, p *browser.Page, tracker *lab.Host, spate *lab.Process) {
	t.Helper()
	p.Shows(t, "latest.connections.open === 0", "latest.connections.open")
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", spate.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	var before unix.Rlimit
	if err := unix.Prlimit(spate.Pid(), unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: uint64(len(open)) + 4, Max: before.Max}
	if err := unix.Prlimit(spate.Pid(), unix.RLIMIT_NOFILE, &few, nil); err != nil {
		t.Fatal(err)
	}
	release := hold(t, tracker, 8)
	p.Shows(t, contains(warningText, "New connections wait: the system has no descriptors"), warningText)
	release()
	if err := unix.Prlimit(spate.Pid(), unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
}

// hold opens connections to the tracker and keeps them there: each has sent half a
// request.
func hold(t *testing.T, tracker *lab.Host, n int) (release func()) {
	t.Helper()
	var open []net.Conn
	for range n {
		c, err := tracker.DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", tracker.IPv4, trackerPort))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		if _, err := c.Write([]byte("GET /announce?")); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, c := range open {
			_ = c.Close()
		}
	}
}
