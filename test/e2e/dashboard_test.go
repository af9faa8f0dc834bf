//go:build !nobrowser

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"spate/test/e2e/browser"
	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

const (
	adminConfig = "[admin]\naddress = \"127.0.0.1:3001\"\n"
	adminURL    = "http://127.0.0.1:3001/"
	pageText    = "document.body.innerText"
	warningText = "document.getElementById('warning').textContent"
	problemText = "document.getElementById('problem').textContent"
	stateText   = "document.getElementById('state').textContent"
)

// tile is the expression for a part of the tile with a title: number or note.
func tile(title, part string) string {
	return fmt.Sprintf("[...document.querySelectorAll('.tile')].find(t => t.querySelector('h2').firstChild.data === %q).querySelector('.%s').textContent", title, part)
}

// contains is the expression for a text being in another expression's value.
func contains(expression, text string) string {
	return fmt.Sprintf("%s.includes(%q)", expression, text)
}

// untroubled fails the test where the page had the browser complain.
func untroubled(t testing.TB, p *browser.Page) {
	t.Helper()
	browser.Eval[int](t, p, "0") // what was said until now has come when this is answered
	for _, trouble := range p.Trouble() {
		t.Errorf("the browser complains: %s", trouble)
	}
}

// TestDashboardNumbers compares what the page shows with what was sent.
func TestDashboardNumbers(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, adminConfig)
	v4, v6 := announceURL("http", tracker.IPv4, trackerPort), announceURL("http", tracker.IPv6, trackerPort)
	answers(t, tracker, v6, spate)
	p := browser.Open(t, tracker, adminURL)
	web := tracker.HTTPClient()
	// The pages' first stats are in, so that a rate comes of what follows.
	p.Shows(t, stateText+" === 'ready'", stateText)
	before := fetch(t, web, adminURL+"stats.json")
	for i, a := range []struct {
		url   string
		hash  byte
		left  int64
		event string
	}{
		{v4, 1, 0, "started"},
		{v4, 1, 5, "started"},
		{v4, 2, 5, ""},
		{v6, 1, 5, "paused"},
		{v6, 2, 0, "completed"},
		{v4, 3, 5, "started"},
	} {
		announce := swarm.Announce{InfoHash: [20]byte{a.hash}, Port: uint16(7000 + i), Left: a.left, Event: a.event}
		if _, err := announce.Do(web, a.url); err != nil {
			t.Fatal(err)
		}
	}
	gone := swarm.Announce{InfoHash: [20]byte{3}, Port: 7005, Left: 5, Event: "stopped"}
	if _, err := gone.Do(web, v4); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		fetch(t, web, v4+"?info_hash=tooshort&port=1")
	}
	after := fetch(t, web, adminURL+"stats.json")

	p.Shows(t, tile("Announces", "note")+" === '9 since start'", tile("Announces", "note"))
	for expression, want := range map[string]string{
		tile("Peers", "number"):    "5",
		tile("Peers", "note"):      "2 seeders",
		tile("Torrents", "number"): "2",
		tile("Torrents", "note"):   "2.5 peers on average",
		tile("Failures", "note"):   "2 since start",
		"document.title":           "127.0.0.1:3001 – Spate",
		"[...document.querySelectorAll('#swarms .ends')].map(e => e.innerText).join('; ')":                                      "2 seeders\n3 leechers; 3 IPv4 peers\n2 IPv6 peers; 7 announces over IPv4\n2 over IPv6",
		"[...document.querySelectorAll('#events > :not(.track)')].map(e => e.innerText).sort().join(' ')":                       "1 1 1 1 3 completed paused regular started stopped",
		"[...document.querySelectorAll('#failures > :not(.track)')].map(e => e.innerText).join(' ')":                            "info hash length 2",
		"[...document.querySelectorAll('#facts .url')].map(e => e.textContent).filter(u => u.includes('[') == false).join(' ')": v4,
		warningText: "", problemText: "",
	} {
		if got := browser.Eval[string](t, p, expression); got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
	if got := browser.Eval[string](t, p, tile("Memory", "number")); !strings.HasSuffix(got, "MiB") {
		t.Errorf("memory: %q", got)
	}
	ratesAreRight(t, p, before, after)
	untroubled(t, p)
}

// ratesAreRight has the page make a point of its curves of two stats of the tracker.
func ratesAreRight(t *testing.T, p *browser.Page, before, after string) {
	t.Helper()
	var times [2]struct{ Time time.Time }
	for i, s := range []string{before, after} {
		if err := json.Unmarshal([]byte(s), &times[i]); err != nil {
			t.Fatal(err)
		}
	}
	seconds := times[1].Time.Sub(times[0].Time).Seconds()
	got := browser.Eval[map[string]float64](t, p, fmt.Sprintf("pointFrom(%s, %s)", after, before))
	for key, want := range map[string]float64{
		"announces_per_second": 9 / seconds, "failures_per_second": 2 / seconds, "scrapes_per_second": 0, "peers": 5, "torrents": 2,
	} {
		if math.Abs(got[key]-want) > 1e-9*want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	// Of a tracker that began anew there is no rate below zero.
	for key, v := range browser.Eval[map[string]float64](t, p, fmt.Sprintf("pointFrom({...%s, time: %q}, %s)", before, times[1].Time.Add(time.Second).Format(time.RFC3339Nano), after)) {
		if v < 0 {
			t.Errorf("%s is %v after counters went back", key, v)
		}
	}
	for expression, want := range map[string]string{
		"joined(short(0))": "0", "joined(short(0.04))": "0.04", "joined(short(7.25))": "7.3", "joined(short(9999))": "9,999",
		"joined(short(12345))": "12.3 k", "joined(short(2500000))": "2.5 M", "joined(short(3e9))": "3 G",
		"joined(bytes(1023))": "1,023 B", "joined(bytes(2048))": "2 KiB", "joined(bytes(1.5 * 2 ** 30))": "1.5 GiB",
		"joined(micros(0))": "–", "joined(micros(16))": "16 µs", "joined(micros(2500))": "2.5 ms",
		"duration(59)": "59 s", "duration(3599)": "59 min 59 s", "duration(90061)": "1 d 1 h",
	} {
		if got := browser.Eval[string](t, p, expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}

// TestDashboardStopAndStart takes the tracker away from a page that shows it: it
// hangs, goes on, ends, and is there again with counters that begin anew.
func TestDashboardStopAndStart(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, adminConfig)
	url := announceURL("http", tracker.IPv4, trackerPort)
	answers(t, tracker, url, spate)
	web := tracker.HTTPClient()
	for port := range 300 {
		if _, err := (swarm.Announce{InfoHash: [20]byte{1}, Port: uint16(7000 + port), Left: 1}).Do(web, url); err != nil {
			t.Fatal(err)
		}
	}
	p := browser.Open(t, tracker, adminURL)
	p.Shows(t, tile("Peers", "number")+" === '300'", tile("Peers", "number"))

	spate.Signal(t, syscall.SIGSTOP)
	p.Shows(t, stateText+" === 'unreachable'", stateText)
	p.Shows(t, contains(problemText, "gives no answer")+" && "+contains(problemText, "What is shown is of "), problemText)
	if title := browser.Eval[string](t, p, "document.title"); !strings.HasPrefix(title, "unreachable: ") {
		t.Errorf("title %q", title)
	}
	isLegible(t, p, "unreachable")
	spate.Signal(t, syscall.SIGCONT)
	p.Shows(t, stateText+" === 'ready' && "+problemText+" === ''", stateText)

	if err := spate.Stop(t, syscall.SIGTERM); err != nil {
		t.Errorf("exit after SIGTERM: %v", err)
	}
	p.Shows(t, stateText+" === 'unreachable'", stateText)
	spate = startSpate(t, tracker, adminConfig)
	answers(t, tracker, url, spate)
	if _, err := (swarm.Announce{InfoHash: [20]byte{1}, Port: 7000, Left: 1}).Do(web, url); err != nil {
		t.Fatal(err)
	}
	p.Shows(t, tile("Announces", "note")+" === '1 since start'", tile("Announces", "note"))
	// The curves are those of the new process.
	p.Shows(t, "points.length > 0 && points.every(p => p.peers <= 1 && p.announces_per_second >= 0)", "JSON.stringify(points)")
	p.Shows(t, tile("Peers", "number")+" === '1' && "+problemText+" === ''", pageText)
	untroubled(t, p)
}

// TestDashboardToken is an operator with a keyboard and a token.
func TestDashboardToken(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, "[admin]\naddress = \"0.0.0.0:3001\"\ntoken = \"sesame\"\n")
	answers(t, tracker, announceURL("http", tracker.IPv4, trackerPort), spate)
	p := browser.Open(t, tracker, "http://"+tracker.IPv4.String()+":3001/")
	const asks = "document.getElementById('ask').open && document.activeElement.id === 'token'"
	p.Shows(t, asks, pageText)
	p.Type(t, "<b>wrong</b>")
	p.Press(t, "Enter")
	p.Shows(t, asks+" && !document.getElementById('wrong').hidden", pageText)
	isLegible(t, p, "asking for a token")
	p.Type(t, "sesame")
	p.Press(t, "Enter")
	p.Shows(t, stateText+" === 'ready' && !document.getElementById('ask').open", stateText)
	// The links below need the token too.
	browser.Eval[bool](t, p, "(window.open = () => {}, URL.createObjectURL = blob => { window.made = blob; return ''; }, document.querySelector('footer a').click(), true)")
	p.Shows(t, "!!window.made", "window.made")
	if text := browser.Eval[string](t, p, "window.made.text()"); !strings.Contains(text, "spate_torrents 0") {
		t.Errorf("the link to the metrics opens %.200q", text)
	}
	p.Shows(t, "points.length > 1", "points.length")
	// Every control is reached by the keyboard, and a curve is read by it.
	for range 12 {
		p.Press(t, "Tab")
		if browser.Eval[bool](t, p, "document.activeElement.closest('.tile') !== null") {
			break
		}
	}
	p.Press(t, "ArrowLeft")
	if label := browser.Eval[string](t, p, "document.activeElement.getAttribute('aria-label')"); !strings.HasPrefix(label, "Announces: 0 /s at ") {
		t.Errorf("the curve's label is %q", label)
	}
}

// TestDashboardEscapes puts HTML into every text that the tracker could tell the page.
func TestDashboardEscapes(t *testing.T) {
	t.Parallel()
	const hostile = `<img src=x onerror="window.harmed = true"><script>window.harmed = true</script>'"&`
	tracker := lab.NewNetwork(t).NewHost(t, hostile, lab.Dual)
	cert, key, _ := lab.NewAuthority(t).Issue(t, tracker) // in the host's name
	list := filepath.Join(t.TempDir(), "list.txt")
	writeList(t, list, [20]byte{1})
	spate := startSpate(t, tracker, adminConfig+fmt.Sprintf(
		"[network]\ntls_certificate_path = %q\ntls_private_key_path = %q\n[[listeners]]\naddress = \"0.0.0.0:443\"\ntls = true\n[access_list]\nmode = \"allow\"\npath = %q\n", cert, key, list))
	answers(t, tracker, announceURL("http", tracker.IPv4, trackerPort), spate)
	if _, err := (swarm.Announce{InfoHash: [20]byte{1}, Port: 7000}).Do(tracker.HTTPClient(), announceURL("http", tracker.IPv4, trackerPort)); err != nil {
		t.Fatal(err)
	}
	// What comes from a tracker itself: the name in its certificate.
	p := browser.Open(t, tracker, adminURL)
	p.Shows(t, contains(warningText, "The certificate "+hostile), pageText)
	p.Shows(t, contains(pageText, "Certificate "+hostile), pageText)
	// And each text there is, by somebody in between.
	between := relay(t, tracker, func(v any) any {
		if s, ok := v.(string); ok {
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				return s + hostile
			}
		}
		return v
	}, map[string]any{"problems": []any{"x"}, "failures": []any{map[string]any{"label": "x", "value": 7}}})
	q := browser.Open(t, tracker, between)
	q.Shows(t, contains(stateText, "ready"+hostile), stateText)
	q.Shows(t, contains(problemText, "x"+hostile), problemText)
	for _, part := range []string{"failures", "events", "closed", "facts", "build"} {
		if got := browser.Eval[string](t, q, "document.getElementById('"+part+"').textContent"); !strings.Contains(got, hostile[:20]) {
			t.Errorf("%s shows %q", part, got)
		}
	}
	for _, page := range []*browser.Page{p, q} {
		if browser.Eval[bool](t, page, "window.harmed !== undefined || document.querySelectorAll('img, body script:not(:nth-last-of-type(-n+2))').length > 0") {
			t.Error("what the tracker said became a part of the page")
		}
		untroubled(t, page)
	}
}

// TestDashboardNotReady shows trackers that nobody should send clients to.
func TestDashboardNotReady(t *testing.T) {
	t.Parallel()
	tracker := lab.NewNetwork(t).NewHost(t, "tracker", lab.Dual)
	spate := startSpate(t, tracker, adminConfig)
	answers(t, tracker, announceURL("http", tracker.IPv4, trackerPort), spate)
	same := func(v any) any { return v }
	for state, problems := range map[string][]any{"starting": nil, "stopping": nil, "stuck": {"Event loop 1 has not answered for 12s."}} {
		p := browser.Open(t, tracker, relay(t, tracker, same, map[string]any{"state": state, "problems": problems}))
		p.Shows(t, fmt.Sprintf("%s === %q", stateText, state), stateText)
		if title := browser.Eval[string](t, p, "document.title"); !strings.HasPrefix(title, state+": ") {
			t.Errorf("title %q of a tracker that is %s", title, state)
		}
		if len(problems) > 0 {
			p.Shows(t, fmt.Sprintf("%s === %q && !document.getElementById('problem').hidden", problemText, problems[0]), problemText)
		}
		isLegible(t, p, state)
		untroubled(t, p)
	}
	// Something in between that has no tracker behind it.
	p := browser.Open(t, tracker, relay(t, tracker, nil, nil))
	p.Shows(t, stateText+" === 'unreachable' && "+contains(problemText, "history.json: status 502"), problemText)
	untroubled(t, p)
}

// relay serves the tracker's page on the host, with its stats changed: each value by
// change, then some replaced. Without change all but the page is refused.
func relay(t *testing.T, host *lab.Host, change func(any) any, replaced map[string]any) (url string) {
	t.Helper()
	web := host.HTTPClient()
	address := serve(t, host, "127.0.0.1:0", func(w http.ResponseWriter, r *http.Request) {
		if change == nil && r.URL.Path != "/" {
			http.Error(w, "no tracker", http.StatusBadGateway)
			return
		}
		reply, err := web.Get(adminURL + strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer reply.Body.Close()
		for _, name := range []string{"Content-Type", "Content-Security-Policy"} {
			w.Header().Set(name, reply.Header.Get(name))
		}
		if r.URL.Path != "/stats.json" {
			_, _ = io.Copy(w, reply.Body) // the browser shows what is missing
			return
		}
		var stats map[string]any
		if err := json.NewDecoder(reply.Body).Decode(&stats); err != nil {
			t.Errorf("stats.json: %v", err)
		}
		for key, v := range replaced {
			stats[key] = v
		}
		_ = json.NewEncoder(w).Encode(changeAll(stats, change))
	})
	return "http://" + address + "/"
}

// changeAll applies change to every value of a JSON document.
func changeAll(v any, change func(any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			v[key] = changeAll(part, change)
		}
	case []any:
		for i, part := range v {
			v[i] = changeAll(part, change)
		}
	}
	return change(v)
}
