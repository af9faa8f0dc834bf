package load

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/httpwire"
)

// flight is one request on its way, and what is needed to judge its reply. One
// flight serves many requests of one connection, one after the other.
type flight struct {
	request
	due   time.Time // when it should have been sent: latency counts from here
	mark  mark      // of an announce
	marks []mark    // of a scrape, as request.scraped
}

// traffic makes and judges one worker's requests. mu guards the source, which
// the worker's connections share.
type traffic struct {
	cfg   *Config
	mu    sync.Mutex
	src   *source
	book  *book // nil without verify
	meter *meter
}

// prepare makes the next request of a connection. slot and own are as
// source.next has them.
func (t *traffic) prepare(f *flight, due time.Time, slot int, own netip.Addr) {
	t.mu.Lock()
	t.src.next(&f.request, slot, own)
	t.mu.Unlock()
	f.due = due
	if t.book == nil {
		return
	}
	switch f.kind {
	case KindAnnounce:
		f.mark = t.book.sending(&f.request, f.addr)
	case KindScrape:
		f.marks = f.marks[:0]
		for _, i := range f.scraped {
			f.marks = append(f.marks, t.book.scraping(i))
		}
	}
}

// failed notes that f got no whole reply, and the error of that, if there is one.
func (t *traffic) failed(f *flight, fault Fault, err error) {
	t.exampleError(fault, err)
	t.meter.mu.Lock()
	t.meter.t.Faults[fault]++
	t.meter.mu.Unlock()
	if t.book != nil && f.kind == KindAnnounce {
		t.book.lost(&f.request, f.addr)
	}
	t.ended(f)
}

func (t *traffic) ended(f *flight) {
	if f.peer < 0 {
		return
	}
	t.mu.Lock()
	t.src.people.ended(t.src, f.peer, f.a.event)
	t.mu.Unlock()
}

// verdict is the scratch space in which replies are judged, one for each
// goroutine that does so.
type verdict struct {
	announce bittorrent.AnnounceReply
	scrape   []bittorrent.ScrapeEntry
	peers    []netip.AddrPort
	faults   Faults
}

// answered judges f's whole reply. now is when its last byte came.
func (t *traffic) answered(v *verdict, f *flight, now time.Time, status int, body []byte) {
	v.faults = Faults{}
	peers, failure := 0, false
	switch {
	case f.kind == KindMalformed:
		failure = status != 200 || isFailure(body)
		if !failure {
			v.faults[FaultAccepted]++
		}
	case status != 200:
		v.faults[FaultStatus]++
		t.example(FaultStatus, fmt.Sprintf("status %d", status), body)
	case f.kind == KindScrape:
		failure = t.judgeScrape(v, f, body)
	default:
		failure = t.judgeAnnounce(v, f, body)
		peers = len(v.peers)
	}
	t.count(v, f, now.Sub(f.due), peers, failure)
	t.ended(f)
}

func (t *traffic) count(v *verdict, f *flight, latency time.Duration, peers int, failure bool) {
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	m := t.meter.t
	m.record(f.kind, latency)
	m.Peers += uint64(peers)
	if failure {
		m.Failures++
	}
	for i, n := range v.faults {
		m.Faults[i] += n
	}
}

// isFailure reports whether body is a reply with a failure reason, if only its
// beginning.
func isFailure(body []byte) bool {
	if bytes.HasPrefix(body, []byte("d14:failure reason")) {
		return true
	}
	_, ok := httpwire.FailureReason(body)
	return ok
}

func (t *traffic) judgeAnnounce(v *verdict, f *flight, body []byte) (failure bool) {
	v.peers = v.peers[:0]
	err := httpwire.ParseAnnounceReply(body, &v.announce)
	if err != nil {
		t.unusable(v, err, body)
		if t.book != nil {
			t.book.lost(&f.request, f.addr)
		}
		return isFailure(body)
	}
	v.peers = appendPeers(v.peers, &v.announce)
	if f.a.numWant >= 0 && len(v.peers) > f.a.numWant {
		v.faults[FaultTooMany]++
	}
	if t.book != nil {
		t.book.answered(&f.request, f.addr, f.mark, &v.announce, v.peers, &v.faults)
	}
	return false
}

// unusable notes that a reply to a right request is not what it should be.
func (t *traffic) unusable(v *verdict, err error, body []byte) {
	fault := FaultBadReply
	if isFailure(body) {
		fault = FaultRefusal
	}
	v.faults[fault]++
	t.example(fault, err.Error(), body)
}

// maxExample is how much of a reply an example shows, in bytes.
const maxExample = 100

// example keeps what is wrong with a reply, if it is the first with that fault.
func (t *traffic) example(f Fault, what string, reply []byte) {
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	if t.meter.t.Examples[f] != "" {
		return
	}
	// What is too much is mostly at the end.
	shown := fmt.Sprintf("%q", reply)
	if len(reply) > maxExample {
		shown = fmt.Sprintf("%q … %q", reply[:maxExample/2], reply[len(reply)-maxExample/2:])
	}
	t.meter.t.Examples[f] = fmt.Sprintf("%s, in %d bytes: %s", what, len(reply), shown)
}

// exampleError keeps what the system or TLS says of a fault whose name does not
// explain it, if it is the first of that fault.
func (t *traffic) exampleError(f Fault, err error) {
	if err == nil || f != FaultTLS && f != FaultConnect {
		return
	}
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	if t.meter.t.Examples[f] == "" {
		t.meter.t.Examples[f] = err.Error()
	}
}

func appendPeers(dst []netip.AddrPort, r *bittorrent.AnnounceReply) []netip.AddrPort {
	for p := r.Peers; len(p) >= bittorrent.CompactLen4; p = p[bittorrent.CompactLen4:] {
		dst = append(dst, netip.AddrPortFrom(netip.AddrFrom4([4]byte(p)), uint16(p[4])<<8|uint16(p[5])))
	}
	for p := r.Peers6; len(p) >= bittorrent.CompactLen6; p = p[bittorrent.CompactLen6:] {
		dst = append(dst, netip.AddrPortFrom(netip.AddrFrom16([16]byte(p)), uint16(p[16])<<8|uint16(p[17])))
	}
	return dst
}

func (t *traffic) judgeScrape(v *verdict, f *flight, body []byte) (failure bool) {
	var err error
	v.scrape, err = httpwire.ParseScrapeReply(body, v.scrape[:0])
	if err != nil {
		t.unusable(v, err, body)
		return isFailure(body)
	}
	for i, torrent := range f.scraped {
		e := findEntry(v.scrape, &t.src.hashes[torrent])
		if e == nil {
			v.faults[FaultScrapeHash]++
			continue
		}
		if t.book != nil {
			t.book.scraped(torrent, f.marks[i], e, &v.faults)
		}
	}
	if len(v.scrape) > len(f.scraped) {
		v.faults[FaultScrapeHash]++
	}
	return false
}

func findEntry(entries []bittorrent.ScrapeEntry, h *bittorrent.InfoHash) *bittorrent.ScrapeEntry {
	for i := range entries {
		if entries[i].InfoHash == *h {
			return &entries[i]
		}
	}
	return nil
}

// sent notes a request of n bytes.
func (t *traffic) sent(n int) {
	t.meter.mu.Lock()
	t.meter.t.Sent++
	t.meter.t.BytesOut += uint64(n)
	t.meter.mu.Unlock()
}

func (t *traffic) received(n int) {
	t.meter.mu.Lock()
	t.meter.t.BytesIn += uint64(n)
	t.meter.mu.Unlock()
}

// opened notes a new connection. conn is nil where it carries no TLS for sure.
func (t *traffic) opened(conn net.Conn) {
	secure, ok := conn.(*tls.Conn)
	resumed := ok && secure.ConnectionState().DidResume
	t.meter.mu.Lock()
	t.meter.t.Opened++
	if resumed {
		t.meter.t.Resumed++
	}
	t.meter.mu.Unlock()
}

func (t *traffic) late() {
	t.meter.mu.Lock()
	t.meter.t.Late++
	t.meter.mu.Unlock()
}

// cut notes a request that was under way, or one that was due, when the run was
// interrupted.
func (t *traffic) cut(due, now time.Time) {
	t.meter.mu.Lock()
	t.meter.t.Cut++
	t.meter.t.CutAfter = max(t.meter.t.CutAfter, now.Sub(due))
	t.meter.mu.Unlock()
}

// leftOut notes a request that was due for some time and was never sent.
func (t *traffic) leftOut(late time.Duration) {
	t.meter.mu.Lock()
	t.meter.t.Unsent++
	t.meter.t.CutAfter = max(t.meter.t.CutAfter, late)
	t.meter.mu.Unlock()
}

// unsent notes the requests of p that are due and were never sent.
func (t *traffic) unsent(p *pace, now time.Time) {
	n := p.behind(now)
	if n == 0 {
		return
	}
	t.meter.mu.Lock()
	t.meter.t.Unsent += n
	t.meter.t.CutAfter = max(t.meter.t.CutAfter, now.Sub(p.peek()))
	t.meter.mu.Unlock()
}

// waited notes time in which a loop had nothing to do.
func (t *traffic) waited(d time.Duration) {
	t.meter.mu.Lock()
	t.meter.t.Waited += d
	t.meter.mu.Unlock()
}

// notConnected notes a fault before there was a request, and its error, if there
// is one.
func (t *traffic) notConnected(f Fault, err error) {
	t.exampleError(f, err)
	t.meter.mu.Lock()
	t.meter.t.Faults[f]++
	t.meter.mu.Unlock()
}

// malformed notes a reply to f that is wrong as HTTP, or, where wrong is empty,
// too long.
func (t *traffic) malformed(f *flight, wrong string, got []byte) {
	if wrong == "" {
		wrong = "longer than 128 KiB"
	}
	t.example(FaultBadReply, wrong, got)
	t.failed(f, FaultBadReply, nil)
}
