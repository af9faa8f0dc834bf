package load

import (
	"net/netip"
	"sync"

	"spate/internal/bittorrent"
)

// book remembers who was announced to which torrent, over all workers, so that
// replies can be held against it. Requests cross on their way, so it knows
// bounds, not truths: what was surely there when a request was sent, and what
// can be there by the time its reply has come.
type book struct {
	pages []page
	// perAddress is how many peers of one public address a torrent is sure to keep;
	// 0 is no limit.
	perAddress int
}

// page is one torrent's part of the book. mu guards it.
type page struct {
	mu    sync.Mutex
	peers map[netip.AddrPort]*entry
	hosts map[netip.Addr]*host // public addresses, where there is a limit for each

	sure         int // peers whose presence was confirmed and not since put in doubt
	possible     int // announces by peers not known before, and not confirmed gone since
	doubted      int // stops sent, ever
	gone         int // stops confirmed, ever
	seedersEver  int // peers that ever said left=0
	completed    int // completed events sent, ever
	confirmation uint64
}

// entry is one peer of a torrent.
type entry struct {
	pending  int    // announces under way that keep or make it present
	stopping int    // stops under way
	crossed  bool   // an announce and a stop were under way at once: who was last is not known
	lost     bool   // a request of it got no answer, and may yet be applied
	sure     bool   // a reply confirmed it, and no stop was sent since
	goneAt   uint64 // the confirmation at which its stop was answered; 0 while it may be present
	seeder   bool
	host     *host                        // nil where its address may have any number of peers
	lastPeer [bittorrent.InfoHashLen]byte // its peer id; another one may count as another peer
}

// host is one public address within a torrent.
type host struct {
	peers  int  // known, ever
	sure   int  // of them
	capped bool // there were more than the tracker may keep: none of them is sure
}

// mark is what the book knew when a request was sent.
type mark struct {
	sure         int
	doubted      int
	gone         int
	confirmation uint64
}

func newBook(torrents, perAddress int) *book {
	b := &book{pages: make([]page, torrents), perAddress: perAddress}
	for i := range b.pages {
		b.pages[i].peers = map[netip.AddrPort]*entry{}
		b.pages[i].hosts = map[netip.Addr]*host{}
	}
	return b
}

// hostOf returns the host of an address for which there is a limit, or nil.
func (b *book) hostOf(p *page, addr netip.Addr) *host {
	if b.perAddress == 0 || addr.IsLoopback() || addr.IsPrivate() {
		return nil
	}
	h := p.hosts[addr]
	if h == nil {
		h = &host{}
		p.hosts[addr] = h
	}
	return h
}

// crowd notes one more peer of a host. One too many puts all of them in doubt.
func (p *page) crowd(h *host, limit int) {
	if h.peers++; h.capped || h.peers <= limit {
		return
	}
	h.capped = true
	p.sure -= h.sure
	p.doubted += h.sure
	h.sure = 0
}

// settle makes a peer sure, or no longer so.
func (p *page) settle(e *entry, sure bool) {
	if e.sure == sure || sure && e.host != nil && e.host.capped {
		return
	}
	e.sure = sure
	n := 1
	if !sure {
		n = -1
	}
	if e.host == nil || !e.host.capped {
		p.sure += n
	}
	if e.host != nil && !e.host.capped {
		e.host.sure += n
	}
}

// sending notes an announce that is about to be sent by addr.
func (b *book) sending(r *request, addr netip.Addr) mark {
	p := &b.pages[r.torrent]
	p.mu.Lock()
	defer p.mu.Unlock()
	key := netip.AddrPortFrom(addr, r.a.port)
	e := p.peers[key]
	if r.a.event == bittorrent.EventStopped {
		p.doubted++
		if e == nil {
			return p.mark()
		}
		e.stopping++
		e.crossed = e.crossed || e.pending > 0
		p.settle(e, false)
		return p.mark()
	}
	if e == nil {
		e = &entry{host: b.hostOf(p, addr)}
		p.peers[key] = e
		if e.host != nil {
			p.crowd(e.host, b.perAddress)
		}
	}
	if e.goneAt != 0 || e.lastPeer != r.a.peerID {
		e.goneAt = 0
		e.lastPeer = r.a.peerID
		p.possible++
	}
	e.pending++
	e.crossed = e.crossed || e.stopping > 0
	if r.a.seeder && !e.seeder {
		e.seeder = true
		p.seedersEver++
	}
	if r.a.event == bittorrent.EventCompleted {
		p.completed++
	}
	return p.mark()
}

// scraping returns what is known of a torrent when a scrape is sent.
func (b *book) scraping(torrent int) mark {
	p := &b.pages[torrent]
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mark()
}

func (p *page) mark() mark { return mark{p.sure, p.doubted, p.gone, p.confirmation} }

// answered notes that the tracker has answered an announce, and counts what is
// wrong with the reply. peers are those that the reply names.
func (b *book) answered(r *request, addr netip.Addr, m mark, reply *bittorrent.AnnounceReply, peers []netip.AddrPort, f *Faults) {
	p := &b.pages[r.torrent]
	p.mu.Lock()
	defer p.mu.Unlock()
	self := netip.AddrPortFrom(addr, r.a.port)
	for i, peer := range peers {
		e := p.peers[peer]
		switch {
		case peer == self:
			f[FaultSelf]++
		case e == nil:
			f[FaultStrangePeer]++
		case e.goneAt != 0 && e.goneAt <= m.confirmation:
			f[FaultStalePeer]++
		}
		for _, other := range peers[:i] {
			if other == peer {
				f[FaultTwice]++
				break
			}
		}
	}
	own := 1
	if r.a.event == bittorrent.EventStopped {
		own = 0
	}
	p.checkCounts(m, own, reply.Complete, reply.Incomplete, reply.Downloaded, f)
	if own == 1 && r.a.seeder && reply.Complete == 0 {
		f[FaultCounts]++
	}
	p.confirm(r, self)
}

// checkCounts holds a reply's counts against what is possible. own is how many
// peers the request itself has surely left in the torrent.
func (p *page) checkCounts(m mark, own int, complete, incomplete, downloaded uint32, f *Faults) {
	total := int(complete) + int(incomplete)
	low := max(m.sure-(p.doubted-m.doubted), own)
	high := p.possible + p.gone - m.gone // who is gone by now may have been there then
	if total < low || total > high || int(complete) > p.seedersEver || int(downloaded) > p.completed {
		f[FaultCounts]++
	}
}

// confirm notes that what r asked for has happened.
func (p *page) confirm(r *request, self netip.AddrPort) {
	p.confirmation++
	e := p.peers[self]
	if e == nil {
		return
	}
	stopped := r.a.event == bittorrent.EventStopped
	e.end(stopped)
	if e.pending > 0 || e.stopping > 0 {
		return
	}
	known := !e.crossed && !e.lost
	e.crossed = false
	switch {
	case !known:
	case stopped && e.goneAt == 0:
		e.goneAt = p.confirmation
		p.possible--
		p.gone++
	case !stopped:
		p.settle(e, true)
	}
}

// end notes that a request is no longer under way. A stop may have been sent
// before the book knew the peer, and was then not counted.
func (e *entry) end(stopped bool) {
	if stopped {
		e.stopping = max(0, e.stopping-1)
	} else {
		e.pending = max(0, e.pending-1)
	}
}

// lost notes that an announce got no answer: what it asked for may have
// happened or not, or may yet happen.
func (b *book) lost(r *request, addr netip.Addr) {
	p := &b.pages[r.torrent]
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.peers[netip.AddrPortFrom(addr, r.a.port)]; e != nil {
		e.end(r.a.event == bittorrent.EventStopped)
		e.lost = true
	}
}

// scraped holds a scrape's entry for one torrent against the book.
func (b *book) scraped(torrent int, m mark, e *bittorrent.ScrapeEntry, f *Faults) {
	p := &b.pages[torrent]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checkCounts(m, 0, e.Complete, e.Incomplete, e.Downloaded, f)
}
