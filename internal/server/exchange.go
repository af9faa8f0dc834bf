package server

import (
	"bytes"
	"net/netip"
	"time"

	"spate/internal/http1"
)

// An action is what a driver does after it has sent what serve appended to
// its output, if there is anything.
type action uint8

const (
	// actionKeep: every byte is consumed and every request answered. The
	// connection is idle; its idle deadline starts now.
	actionKeep action = iota
	// actionMore: the bytes from consumed on are the beginning of a head. Read
	// more behind them and call serve again; the head's deadline runs from
	// its first byte.
	actionMore
	// actionFlush: the output is full while complete requests may be left.
	// Send it, then call serve with the bytes from consumed on.
	actionFlush
	// actionClose: close after sending. If bytes are left unread in the
	// kernel, drain them first: closing over them sends a reset that can
	// destroy the reply.
	actionClose
	// actionLinger: the request was refused while its sender may still be
	// sending. Shut down sending, then read and drop up to lingerBytes for up
	// to lingerTime, then close.
	actionLinger
	// actionAbort: close at once. Nothing is to be sent.
	actionAbort
)

const (
	// inputSize is how many unconsumed bytes a driver must be able to hold:
	// serve never asks for more behind this many. A PROXY protocol header is
	// consumed on its own, so it needs no room beside a head.
	inputSize = http1.MaxHead
	// outputLimit is where serve stops answering pipelined requests until its
	// output was sent. One reply may exceed it.
	outputLimit = 64 << 10
	// maxScratch is the largest body whose buffer is kept for the next one.
	maxScratch = 1 << 20
	// lingerBytes and lingerTime bound what a refused sender is still heard
	// for.
	lingerBytes = 64 << 10
	lingerTime  = 2 * time.Second
)

// peer is what the engine remembers of a connection from call to call. It is
// small, since a driver holds one for each idle connection.
type peer struct {
	// client is the address that requests count for: the source, or what a
	// PROXY protocol header named. The zero Addr is a unix socket's. It is
	// never IPv4-mapped and has no zone.
	client   netip.Addr
	requests uint32 // answered so far
	checked  uint16 // how far an incomplete head was parsed (http1.Head.From)
	via      Proxy  // how client is found out; ProxyNone when the source is not trusted
	pending  bool   // the PROXY protocol header is still to come
}

// An exchange turns request bytes into reply bytes. Both drivers use it, so
// that what a client sees does not depend on which of them carries it. It does
// no I/O and belongs to one goroutine at a time.
type exchange struct {
	rules   *rules
	handler Handler
	count   *counters
	head    http1.Head
	body    []byte // scratch for the handler
	secure  bool   // the connection speaks TLS; a driver sets it
}

// serve answers every complete request at the beginning of in, in order, and
// appends the replies to out. It returns how many bytes of in it has used up,
// out, and what to do next. It keeps no reference to in or out.
func (x *exchange) serve(now time.Duration, p *peer, in, out []byte) (consumed int, _ []byte, next action) {
	started := len(out)
	var header []byte // collected only where it counts
	if p.via == ProxyHeader {
		header = x.rules.header
	}
	next = actionKeep
	if p.pending {
		if consumed, next = p.proxyHeader(in); next != actionKeep {
			return consumed, out, next
		}
		if consumed == len(in) {
			// The first request is still to come, within the deadline of its head:
			// the connection is not a kept one that may idle.
			x.count.bytesIn.Add(uint64(consumed))
			return consumed, out, actionMore
		}
	}
	for next == actionKeep && consumed < len(in) {
		if len(out)-started >= outputLimit {
			next = actionFlush
			break
		}
		x.head.From, x.head.AddrHeader = int(p.checked), header
		n, err := http1.ParseHead(in[consumed:], &x.head)
		p.checked = uint16(x.head.From)
		if err == http1.ErrIncomplete {
			next = actionMore
			break
		}
		if err != nil {
			out, next = x.refuse(p, err, out), actionLinger
			break
		}
		consumed += n
		out, next = x.answer(now, p, in[consumed:], out)
	}
	if next == actionClose || next == actionLinger {
		consumed = len(in) // what follows the last request is not for us
	}
	x.count.bytesIn.Add(uint64(consumed))
	x.count.bytesOut.Add(uint64(len(out) - started))
	return consumed, out, next
}

// answer handles the request in x.head and appends its reply. Rest is what was
// received behind it.
func (x *exchange) answer(now time.Duration, p *peer, rest, out []byte) ([]byte, action) {
	h, cfg := &x.head, &x.rules.cfg
	p.requests++
	keep := h.KeepAlive && cfg.KeepAlive &&
		(cfg.MaxRequests == 0 || uint64(p.requests) < uint64(cfg.MaxRequests)) &&
		(!x.rules.draining.Load() || bytes.Contains(rest, endOfHead))

	status, body, result, client := x.reply(now, p)
	x.count.requests[family(client)][result].Add(1)
	out = http1.AppendReplyHead(out, status, len(body), h.Connection(keep))
	if !h.HEAD {
		out = append(out, body...)
	}
	if !keep {
		return out, actionClose
	}
	return out, actionKeep
}

// endOfHead tells that a whole request is there: a stopping server answers all
// that it has received of a connection before it closes it.
var endOfHead = []byte("\r\n\r\n")

// reply decides what the request in x.head is answered. The body lasts until
// the next call.
func (x *exchange) reply(now time.Duration, p *peer) (status int, body []byte, o outcome, client netip.Addr) {
	h, cfg := &x.head, &x.rules.cfg
	client = x.rules.clientOf(p, h)
	if !client.IsValid() {
		// A proxy that asks for itself, whether anybody is there, names no client.
		if page, o := x.page(p); page != nil {
			return 200, page, o, client
		}
		return 200, cfg.NoClientAddress, outcomeNoClient, client
	}
	if !x.rules.limits.request(now, client) {
		return 200, cfg.RateLimited, outcomeRateLimited, client
	}
	body, known := x.handler.Handle(now, client, h.Path, h.Query, x.body[:0])
	if x.body = body[:0]; cap(x.body) > maxScratch {
		x.body = nil // one full scrape must not keep its memory for good
	}
	if known {
		x.rules.limits.charge(now, client, len(body))
		return 200, body, outcomeHandled, client
	}
	if page, o := x.page(p); page != nil {
		return 200, page, o, client
	}
	return 404, notFoundBody, outcomeNotFound, client
}

// page returns what the server itself has at the path in x.head, nil for
// nothing. Whom it is for does not matter.
func (x *exchange) page(p *peer) ([]byte, outcome) {
	cfg := &x.rules.cfg
	if len(cfg.IndexPage) > 0 && string(x.head.Path) == "/" {
		return x.indexPage(p), outcomeIndex
	}
	if cfg.WellKnown != nil {
		return cfg.WellKnown(x.head.Path), outcomeWellKnown
	}
	return nil, outcomeNotFound
}

// The bodies of the replies that are not the handler's. They are for people.
var (
	notFoundBody   = []byte("404 Not Found\n")
	badRequestBody = []byte("400 Bad Request\n")
	badMethodBody  = []byte("405 Method Not Allowed\n")
	longTargetBody = []byte("414 URI Too Long\n")
	longHeadBody   = []byte("431 Request Header Fields Too Large\n")
)

// refuse appends the reply to a head that http1 refused. It always closes.
func (x *exchange) refuse(p *peer, verdict error, out []byte) []byte {
	status, body, o := 400, badRequestBody, outcomeBadRequest
	if v, ok := verdict.(*http1.StatusError); ok {
		switch status = v.Status; status {
		case 405:
			body, o = badMethodBody, outcomeBadMethod
		case 414:
			body, o = longTargetBody, outcomeLongTarget
		case 431:
			body, o = longHeadBody, outcomeLongHead
		}
	}
	x.count.requests[family(p.client)][o].Add(1)
	out = http1.AppendReplyHead(out, status, len(body), http1.ConnectionClose)
	return append(out, body...)
}

// family is the index of an address in counters by family: 0 for IPv4 and for
// none, 1 for IPv6.
func family(a netip.Addr) int {
	if a.Is6() {
		return 1
	}
	return 0
}
