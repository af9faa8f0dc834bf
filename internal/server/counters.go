package server

import (
	"sync/atomic"
	"time"
)

// An outcome is what became of a request. The set is closed.
type outcome uint8

const (
	outcomeHandled     outcome = iota // the handler answered it
	outcomeIndex                      // GET /
	outcomeNotFound                   // 404
	outcomeBadRequest                 // 400
	outcomeBadMethod                  // 405
	outcomeLongTarget                 // 414
	outcomeLongHead                   // 431
	outcomeNoClient                   // a proxy did not name its client
	outcomeRateLimited                // over its address's rate
	outcomeWellKnown                  // a page of Config.WellKnown
	outcomeCount
)

var outcomeLabels = [outcomeCount]string{
	"handled", "index", "404", "400", "405", "414", "431", "no_client_address", "rate_limited", "well_known",
}

// An ending is why a connection ended. The set is closed.
type ending uint8

const (
	endServed       ending = iota // after a reply that closes it
	endClient                     // the client closed or reset it between requests
	endTruncated                  // the client closed or reset it in the middle of a head
	endRefused                    // after a 400, 405, 414 or 431
	endHeadTimeout                // the head did not arrive in time
	endWriteTimeout               // the client did not take its reply in time
	endWriteFailed                // the client was gone when its reply was written
	endIdle                       // kept without a request for too long
	endProxyHeader                // no PROXY protocol header, a bad one, or not from a trusted source
	endHandshake                  // the TLS handshake failed
	endLimit                      // refused by a limit right after the accept, or given up for its sake
	endShutdown                   // the server stopped
	endError                      // anything else the system reported
	endCount
)

var endingLabels = [endCount]string{
	"served", "client", "truncated", "refused", "head_timeout", "write_timeout", "write_failed",
	"idle", "proxy_header", "tls_handshake", "limit", "shutdown", "error",
}

// A handshake is how a TLS handshake ended. The set is closed.
type handshake uint8

const (
	handshakeDone        handshake = iota
	handshakeTimeout               // it did not end in time, or the server stopped
	handshakeClosed                // the client closed or reset the connection
	handshakeHTTP                  // plain HTTP
	handshakeNotTLS                // any other bytes that are not TLS
	handshakeVersion               // no common version
	handshakeCipher                // no common cipher suite, curve or signature
	handshakeProtocol              // no common protocol (ALPN)
	handshakeDistrusted            // the client refused the certificate
	handshakeClientAlert           // the client gave another reason
	handshakeMalformed             // anything else that was wrong
	handshakeCount
)

var handshakeLabels = [handshakeCount]string{
	"done", "timeout", "closed", "plain_http", "not_tls", "version", "cipher", "protocol",
	"certificate_refused", "client_alert", "malformed",
}

// counters are what one worker counts: an exchange and whoever drives it.
// They are made once, registered with the server, and added up by
// Server.Stats. Each worker has its own, so that no cache line is shared on
// the hot path; the goroutine driver's connections share one set.
type counters struct {
	_        [64]byte                       // keeps neighbours off the first line
	requests [2][outcomeCount]atomic.Uint64 // [0] IPv4 clients, [1] IPv6 clients
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64

	accepted [2]atomic.Uint64 // [0] IPv4 and unix sources, [1] IPv6 sources
	ended    [endCount]atomic.Uint64
	// acceptPauses counts the times that accepting paused for lack of
	// descriptors or memory, acceptErrors the other failures of accept.
	acceptPauses atomic.Uint64
	acceptErrors atomic.Uint64

	handshakes [handshakeCount]atomic.Uint64
	resumed    atomic.Uint64 // handshakes done by a session ticket
	_          [64]byte
}

// LoopStats is what one event loop tells of itself. Sums over several loops may
// be off by the connections that are being handed over.
type LoopStats struct {
	// Woken is when the loop last woke up, by Config.Clock; 0 before Run. A
	// healthy loop wakes up at least once a second.
	Woken time.Duration
	// Busy is the share of about the last 0.1 s before Woken that the loop was
	// awake, from 0 to 1.
	Busy float64
	// The connections that wait in the loop, by what for: the first head or
	// the rest of one, another request, room for the rest of a reply, and the
	// end of what a sender who was told to close still sends.
	Head, Idle, Writing, Lingering int
}

// Connections returns how many connections wait in the loop for something.
func (s *LoopStats) Connections() int { return s.Head + s.Idle + s.Writing + s.Lingering }

// A Count is one value of a closed set of labels.
type Count struct {
	Label string
	Value uint64
}

// Stats is what a server has counted since New.
type Stats struct {
	// Requests4 and Requests6 count requests by outcome, for clients of each
	// family; the order is fixed.
	Requests4, Requests6 []Count
	BytesIn, BytesOut    uint64      // of requests and replies, without TLS and TCP/IP
	Accepted4, Accepted6 uint64      // connections; those of unix sockets are in Accepted4
	Ended                []Count     // connections by the reason of their end
	Open                 uint64      // connections open now
	Loops                []LoopStats // of each event loop; none where goroutines carry everything
	AcceptPauses         uint64      // times that accepting paused for lack of descriptors or memory
	AcceptErrors         uint64      // other failures of accept
	Refused              []Count     // connections and requests over a limit, by the limit
	Handshakes           []Count     // TLS handshakes by how they ended; "done" is the good one
	Resumed              uint64      // good handshakes by a session ticket
}

// collect adds the counters of all workers up.
func collect(all []*counters) Stats {
	s := Stats{
		Requests4:  make([]Count, outcomeCount),
		Requests6:  make([]Count, outcomeCount),
		Ended:      make([]Count, endCount),
		Handshakes: make([]Count, handshakeCount),
	}
	for i, label := range outcomeLabels {
		s.Requests4[i].Label, s.Requests6[i].Label = label, label
	}
	for i, label := range endingLabels {
		s.Ended[i].Label = label
	}
	for i, label := range handshakeLabels {
		s.Handshakes[i].Label = label
	}
	var ended uint64
	for _, c := range all {
		// The ends are read before the accepts, so that Open is never negative.
		for i := range c.ended {
			n := c.ended[i].Load()
			s.Ended[i].Value += n
			ended += n
		}
	}
	for _, c := range all {
		for i := range outcomeCount {
			s.Requests4[i].Value += c.requests[0][i].Load()
			s.Requests6[i].Value += c.requests[1][i].Load()
		}
		s.BytesIn += c.bytesIn.Load()
		s.BytesOut += c.bytesOut.Load()
		s.Accepted4 += c.accepted[0].Load()
		s.Accepted6 += c.accepted[1].Load()
		s.AcceptPauses += c.acceptPauses.Load()
		s.AcceptErrors += c.acceptErrors.Load()
		for i := range handshakeCount {
			s.Handshakes[i].Value += c.handshakes[i].Load()
		}
		s.Resumed += c.resumed.Load()
	}
	s.Open = s.Accepted4 + s.Accepted6 - ended
	return s
}
