package load

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

// toyTracker is a small honest tracker that a test makes dishonest in one way.
type toyTracker struct {
	*httptest.Server
	wrong string // "" is honest

	mu    sync.Mutex
	swarm map[bittorrent.InfoHash]*toySwarm
	turn  int
}

type toySwarm struct {
	peers      map[netip.AddrPort]bool // value: seeder
	order      []netip.AddrPort        // as they came
	gone       []netip.AddrPort        // as they stopped
	downloaded uint32
}

func newToyTracker(t *testing.T, wrong string, secure bool) *toyTracker {
	t.Helper()
	tr := &toyTracker{wrong: wrong, swarm: map[bittorrent.InfoHash]*toySwarm{}}
	tr.Server = startServer(t, tr.serve, secure)
	return tr
}

// startServer serves by handler until the test ends.
func startServer(t *testing.T, handler http.HandlerFunc, secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (tr *toyTracker) address() string { return tr.Listener.Addr().String() }

func (tr *toyTracker) serve(w http.ResponseWriter, r *http.Request) {
	body, every := tr.answer(r)
	switch {
	case tr.wrong == "drops" && every:
		tr.hang(w, false)
		return
	case tr.wrong == "resets" && every:
		tr.hang(w, true)
		return
	case tr.wrong == "is silent" && every:
		<-r.Context().Done()
		return
	case tr.wrong == "sends errors" && every:
		http.Error(w, "no", http.StatusInternalServerError)
		return
	case tr.wrong == "adds bytes" && every:
		body = append(body, '\n')
	}
	w.Write(body)
}

// hang ends the connection without a reply.
func (tr *toyTracker) hang(w http.ResponseWriter, reset bool) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if reset {
		conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
}

// answer applies a request. every is true for each tenth of them.
func (tr *toyTracker) answer(r *http.Request) (body []byte, every bool) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.turn++
	every = tr.turn%10 == 0
	if strings.HasPrefix(r.URL.Path, "/scrape") {
		return tr.scrape(r, every), every
	}
	var a bittorrent.AnnounceRequest
	f := httpwire.ParseAnnounce([]byte(r.URL.RawQuery), &a)
	if tr.wrong == "accepts anything" && f != bittorrent.FailureNone {
		f = bittorrent.FailureNone
	}
	if tr.wrong == "refuses" && every {
		f = bittorrent.FailureFull
	}
	if f != bittorrent.FailureNone {
		return httpwire.AppendFailure(nil, f, time.Hour, time.Hour), every
	}
	source := netip.MustParseAddrPort(r.RemoteAddr).Addr()
	if told := r.Header.Get("X-Forwarded-For"); told != "" {
		source = netip.MustParseAddr(told)
	}
	return tr.announce(&a, netip.AddrPortFrom(source, a.Port), every), every
}

func (tr *toyTracker) announce(a *bittorrent.AnnounceRequest, self netip.AddrPort, every bool) []byte {
	s := tr.swarm[a.InfoHash]
	if s == nil {
		s = &toySwarm{peers: map[netip.AddrPort]bool{}}
		tr.swarm[a.InfoHash] = s
	}
	s.apply(a, self)
	reply := bittorrent.AnnounceReply{Downloaded: s.downloaded, Compact: a.Compact, Interval: time.Hour, MinInterval: time.Hour}
	for _, seeder := range s.peers {
		if seeder {
			reply.Complete++
		} else {
			reply.Incomplete++
		}
	}
	want := 50
	if a.NumWant >= 0 {
		want = min(want, a.NumWant)
	}
	if a.Event == bittorrent.EventStopped {
		want = 0
	}
	peers := s.choose(self, want)
	if every && want > 0 {
		peers = tr.spoil(s, peers, self, a)
	}
	if every && tr.wrong == "miscounts" {
		reply.Incomplete += 1000
	}
	if every && tr.wrong == "invents downloads" {
		reply.Downloaded += 100_000
	}
	for _, p := range peers {
		if p.Addr().Is4() {
			b := p.Addr().As4()
			reply.Peers = append(append(reply.Peers, b[:]...), byte(p.Port()>>8), byte(p.Port()))
		} else {
			b := p.Addr().As16()
			reply.Peers6 = append(append(reply.Peers6, b[:]...), byte(p.Port()>>8), byte(p.Port()))
		}
	}
	return httpwire.AppendAnnounceReply(nil, &reply)
}

func (s *toySwarm) apply(a *bittorrent.AnnounceRequest, self netip.AddrPort) {
	_, known := s.peers[self]
	if a.Event == bittorrent.EventStopped {
		delete(s.peers, self)
		s.order = slices.DeleteFunc(s.order, func(p netip.AddrPort) bool { return p == self })
		if known {
			s.gone = append(s.gone, self)
		}
		return
	}
	if !known {
		s.order = append(s.order, self)
		s.gone = slices.DeleteFunc(s.gone, func(p netip.AddrPort) bool { return p == self })
	}
	s.peers[self] = a.Seeder
	if a.Event == bittorrent.EventCompleted {
		s.downloaded++
	}
}

// choose returns the newest peers but self.
func (s *toySwarm) choose(self netip.AddrPort, want int) []netip.AddrPort {
	var chosen []netip.AddrPort
	for i := len(s.order) - 1; i >= 0 && len(chosen) < want; i-- {
		if s.order[i] != self {
			chosen = append(chosen, s.order[i])
		}
	}
	return chosen
}

// spoil makes a list of peers wrong.
func (tr *toyTracker) spoil(s *toySwarm, peers []netip.AddrPort, self netip.AddrPort, a *bittorrent.AnnounceRequest) []netip.AddrPort {
	switch tr.wrong {
	case "invents peers":
		return append(peers[:max(0, len(peers)-1)], netip.MustParseAddrPort("203.0.113.7:7"))
	case "returns self":
		return append(peers[:max(0, len(peers)-1)], self)
	case "repeats peers":
		if len(peers) > 1 {
			peers[1] = peers[0]
		}
	case "keeps the dead":
		if len(s.gone) > 0 {
			return append(peers[:max(0, len(peers)-1)], s.gone[0])
		}
	case "gives too much":
		for len(peers) > 0 && len(peers) <= a.NumWant {
			peers = append(peers, peers...)
		}
	}
	return peers
}

func (tr *toyTracker) scrape(r *http.Request, every bool) []byte {
	var q bittorrent.ScrapeRequest
	if f := httpwire.ParseScrape([]byte(r.URL.RawQuery), 100, &q); f != bittorrent.FailureNone {
		return httpwire.AppendFailure(nil, f, time.Hour, time.Hour)
	}
	if every && tr.wrong == "forgets hashes" {
		q.InfoHashes = q.InfoHashes[1:]
	}
	var entries []bittorrent.ScrapeEntry
	for _, h := range q.InfoHashes {
		e := bittorrent.ScrapeEntry{InfoHash: h}
		if s := tr.swarm[h]; s != nil {
			e.Downloaded = s.downloaded
			for _, seeder := range s.peers {
				if seeder {
					e.Complete++
				} else {
					e.Incomplete++
				}
			}
		}
		entries = append(entries, e)
	}
	return httpwire.AppendScrapeReply(nil, entries, time.Hour)
}
