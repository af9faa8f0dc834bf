package load

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// goodReply is a whole reply that is right for any first announce.
const (
	goodBody  = "d8:completei0e10:downloadedi0e10:incompletei1e8:intervali1800e5:peers0:e"
	goodReply = "HTTP/1.1 200 OK\r\nContent-Length: 72\r\n\r\n" + goodBody
)

// rawTracker answers each request on each connection as answer does it. requests
// are counted over all connections, from 1.
type rawTracker struct {
	net.Listener
	mu    sync.Mutex
	n     int
	peers map[netip.Addr]int // connections by address
}

func newRawTracker(t *testing.T, answer func(c net.Conn, n int, head string)) *rawTracker {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &rawTracker{Listener: l, peers: map[netip.Addr]int{}}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.mu.Lock()
			tr.peers[c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()]++
			tr.mu.Unlock()
			serving.Go(func() { tr.serve(c, answer) })
		}
	})
	return tr
}

// requests returns how many have come.
func (tr *rawTracker) requests() int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.n
}

func (tr *rawTracker) serve(c net.Conn, answer func(c net.Conn, n int, head string)) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		var head strings.Builder
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" && !strings.HasPrefix(head.String(), "\r\n") {
				break
			}
		}
		tr.mu.Lock()
		tr.n++
		n := tr.n
		tr.mu.Unlock()
		answer(c, n, head.String())
	}
}

func (tr *rawTracker) config() Config {
	cfg := DefaultConfig()
	cfg.ServerAddress = tr.Addr().String()
	cfg.ConnectionCreationIntervalMS = 0
	cfg.NumConnections = 4
	cfg.Duration = 1
	return cfg
}

// A tracker that stands still has to show in an open loop: the requests that were
// due meanwhile count from when they were due, though only four could be sent.
func TestAStallShowsInAnOpenLoop(t *testing.T) {
	const stall = 500 * time.Millisecond
	var until time.Time
	var once sync.Once
	tr := newRawTracker(t, func(c net.Conn, n int, _ string) {
		if n >= 100 {
			once.Do(func() { until = time.Now().Add(stall) })
			// Who comes later finds the time set, since Do waits for the first.
			<-time.After(time.Until(until))
		}
		c.Write([]byte(goodReply))
	})
	cfg := tr.config()
	cfg.Rate.Mode, cfg.Rate.RequestsPerSecond = modeOpen, 1000
	cfg.Duration = 2
	r, err := Run(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantFaults(t, r)
	// 500 requests were due during the stall, 250 of them in its first half.
	slow := 0
	for _, bar := range r.Tally.Latency[KindAnnounce].Distribution() {
		if bar.From >= int64(stall/2) {
			slow += int(bar.Count)
		}
	}
	if slow < 200 || r.Tally.Late < 200 {
		t.Errorf("%d of %d requests took half the stall or more, %d were late; want 250 at least",
			slow, r.Tally.Answered(), r.Tally.Late)
	}
}

// A tracker that falls silent must not look like one that is quick.
func TestSilenceAtTheEndOfARunIsReported(t *testing.T) {
	for _, mode := range []string{modeClosed, modeOpen} {
		t.Run(mode, func(t *testing.T) {
			const answered = 10
			var tr *rawTracker
			var r *Report
			// On a machine that has no time for the run, few requests are sent in its second.
			for tr == nil || tr.requests() <= answered {
				tr = newRawTracker(t, func(c net.Conn, n int, _ string) {
					if n <= answered {
						c.Write([]byte(goodReply))
					}
				})
				cfg := tr.config()
				cfg.Check.Timeout = 2 // after the run's end
				cfg.Rate.Mode, cfg.Rate.RequestsPerSecond = mode, 1000
				var err error
				if r, err = Run(t.Context(), cfg, Options{}); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := r.Tally.Faults[FaultTimeout], tr.requests()-answered; got != uint64(want) {
				t.Errorf("%d requests timed out, want %d, those that were under way", got, want)
			}
			if mode == modeOpen && r.Tally.Unsent < 100 {
				t.Errorf("%d requests are said to be due and unsent, want most of 1000", r.Tally.Unsent)
			}
			if r.Elapsed > 1500*time.Millisecond {
				t.Errorf("the run's length is %v, want the second in which it sent", r.Elapsed)
			}
		})
	}
}

// Interrupted, a run does not wait for what is under way, and says what it cut.
func TestAnInterruptedRunSaysWhatItCut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	tr := newRawTracker(t, func(_ net.Conn, n int, _ string) {
		if n == 4 {
			cancel()
		}
	})
	cfg := tr.config()
	cfg.Duration = 0
	r, err := Run(ctx, cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tally.Cut != 4 || r.Tally.Faults.Total() != 0 {
		t.Errorf("%d requests cut and %d faults, want 4 and none", r.Tally.Cut, r.Tally.Faults.Total())
	}
	var text strings.Builder
	r.WriteFinal(&text)
	if !strings.Contains(text.String(), "no reply") || strings.Contains(text.String(), "No faults.") {
		t.Errorf("the report does not say that nothing was answered:\n%s", text.String())
	}
}

// Slow replies are right, and show in the latencies.
func TestSlowRepliesShow(t *testing.T) {
	tr := newRawTracker(t, func(c net.Conn, n int, _ string) {
		if n%10 == 0 {
			<-time.After(30 * time.Millisecond)
		}
		c.Write([]byte(goodReply[:50]))
		c.Write([]byte(goodReply[50:]))
	})
	r, err := Run(t.Context(), tr.config(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantFaults(t, r)
	if p99 := time.Duration(r.Tally.All().ValueAtQuantile(99)); p99 < 29*time.Millisecond {
		t.Errorf("p99 is %v, want 30 ms at least", p99)
	}
}

// A slow reader leaves a long reply in the tracker for a while.
func TestSlowReadersReadSlowly(t *testing.T) {
	for _, secure := range []bool{false, true} {
		body := goodBody[:len(goodBody)-3] + "3000:" + strings.Repeat("\x0c\x00\x00\x01\x1a\xe1", 500) + "e"
		server := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write([]byte(body))
		}, secure)
		cfg := DefaultConfig()
		cfg.ServerAddress = server.Listener.Addr().String()
		cfg.ConnectionCreationIntervalMS = 0
		cfg.NumConnections, cfg.Duration, cfg.EnableTLS = 2, 1, secure
		cfg.Mix.SlowReaders = 0.5
		r, err := Run(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantFaults(t, r)
		// 3,072 bytes and a head, 64 every 10 ms.
		if slowest := time.Duration(r.Tally.All().Max()); slowest < 400*time.Millisecond {
			t.Errorf("TLS %v: the slowest reply took %v, want half a second", secure, slowest)
		}
		if r.Tally.Answered() < 5 {
			t.Errorf("TLS %v: %d replies, want many from the other connection", secure, r.Tally.Answered())
		}
	}
}

// Every connection has another address, so that one machine can be many.
func TestEachConnectionHasAnotherAddress(t *testing.T) {
	for _, source := range []string{sourceLoopback, sourceProxyV1} {
		t.Run(source, func(t *testing.T) {
			told := map[string]bool{}
			var mu sync.Mutex
			tr := newRawTracker(t, func(c net.Conn, _ int, head string) {
				if rest, ok := strings.CutPrefix(head, "PROXY TCP4 "); ok {
					mu.Lock()
					told[rest[:strings.Index(rest, " ")]] = true
					mu.Unlock()
				}
				c.Write([]byte(strings.Replace(goodReply, "OK\r\n", "OK\r\nConnection: close\r\n", 1)))
				c.Close()
			})
			cfg := tr.config()
			cfg.KeepAlive = false
			cfg.NumWorkers = 2
			cfg.Addresses = AddressConfig{Source: source, Number: 100}
			cfg.Duration = 0
			seen := func() int {
				mu.Lock()
				defer mu.Unlock()
				tr.mu.Lock()
				defer tr.mu.Unlock()
				if source == sourceLoopback {
					return len(tr.peers)
				}
				return len(told)
			}
			wantFaults(t, runAgainst(t, cfg, func(*Tally) bool { return seen() >= 100 }))
			if got := seen(); got != 100 {
				t.Errorf("%d addresses were seen, want all 100", got)
			}
		})
	}
}

func TestTLSSessionsAreResumedWhereAsked(t *testing.T) {
	for _, resume := range []bool{false, true} {
		cfg := busyConfig(newToyTracker(t, "", true).address())
		cfg.EnableTLS, cfg.KeepAlive, cfg.Check.TLSResume = true, false, resume
		r := runAgainst(t, cfg, func(total *Tally) bool { return total.Answered() >= 100 })
		wantFaults(t, r)
		if got := r.Tally.Resumed > 0; got != resume {
			t.Errorf("%d of %d connections were resumed with tls_resume = %v", r.Tally.Resumed, r.Tally.Opened, resume)
		}
	}
}

func TestDistributions(t *testing.T) {
	cfg := DefaultConfig()
	for distribution, want := range map[string][2]int{
		// Of 1000 torrents, of 100,000 picks: how many at most for any, and at least for the first.
		distributionEven: {200, 50}, distributionLongTail: {11_000, 9_000},
	} {
		cfg.Torrents.Distribution = distribution
		src := newSource(&cfg, torrentsOf(1000, usualSeed), 0)
		count := make([]int, 1000)
		for range 100_000 {
			count[src.skew.pick(src.rng)]++
		}
		most := 0
		for _, n := range count {
			most = max(most, n)
		}
		if most > want[0] || count[0] < want[1] {
			t.Errorf("%s: %d at most, %d for the first; want below %d and above %d", distribution, most, count[0], want[0], want[1])
		}
	}
}
