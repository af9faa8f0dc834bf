package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Kind is what a request was.
type Kind uint8

// The kinds of requests.
const (
	KindAnnounce Kind = iota
	KindScrape
	KindMalformed // a request that a tracker has to refuse
	kindCount
)

// String returns the kind's name in reports.
func (k Kind) String() string {
	return [...]string{"announce", "scrape", "malformed"}[k]
}

// Fault is a way in which a request can go wrong.
type Fault uint8

// The faults. Those from FaultBadReply on are the tracker's own: it answered,
// and the answer is not right.
const (
	FaultRefused     Fault = iota // the connection was refused
	FaultReset                    // the connection was reset
	FaultClosed                   // the connection ended before a whole reply
	FaultTimeout                  // no whole reply in time
	FaultConnect                  // any other trouble with the connection
	FaultTLS                      // the TLS handshake failed
	FaultBadReply                 // not HTTP, or not strict bencode: trailing bytes, unsorted keys
	FaultStatus                   // an HTTP status other than the right one
	FaultRefusal                  // `failure reason` on a request that was right
	FaultAccepted                 // a malformed request was answered as if it were right
	FaultCounts                   // complete, incomplete or downloaded cannot be
	FaultStrangePeer              // a peer that was never announced to this torrent
	FaultStalePeer                // a peer that had stopped before the request
	FaultSelf                     // the peer itself
	FaultTwice                    // one peer twice in one reply
	FaultTooMany                  // more peers than asked for
	FaultScrapeHash               // an info hash missing in a scrape, or one not asked for
	faultCount
)

var faultNames = [faultCount]string{
	FaultRefused:     "connection refused",
	FaultReset:       "connection reset",
	FaultClosed:      "closed before a whole reply",
	FaultTimeout:     "timed out",
	FaultConnect:     "connection trouble",
	FaultTLS:         "TLS handshake failed",
	FaultBadReply:    "malformed reply",
	FaultStatus:      "wrong HTTP status",
	FaultRefusal:     "failure response",
	FaultAccepted:    "malformed request accepted",
	FaultCounts:      "impossible counts",
	FaultStrangePeer: "peer never announced",
	FaultStalePeer:   "peer had stopped",
	FaultSelf:        "requester among its own peers",
	FaultTwice:       "peer twice in one reply",
	FaultTooMany:     "more peers than asked for",
	FaultScrapeHash:  "scrape without a hash asked for",
}

// String returns the fault's name in reports.
func (f Fault) String() string { return faultNames[f] }

// Faults are counts by Fault.
type Faults [faultCount]uint64

// Total returns the sum over all faults.
func (f *Faults) Total() uint64 {
	var n uint64
	for _, v := range f {
		n += v
	}
	return n
}

// The range and precision of latency histograms: 1 µs to 60 s at three
// significant digits.
const (
	latencyMin    = int64(time.Microsecond)
	latencyMax    = int64(60 * time.Second)
	latencyDigits = 3
)

// Tally is what a run, or a part of it, has counted. Latencies are in
// nanoseconds.
type Tally struct {
	Sent     uint64            // requests
	Replies  [kindCount]uint64 // whole replies, by kind; a failure response is one
	Failures uint64            // replies with `failure reason`
	Faults   Faults
	Peers    uint64 // peers in all announce replies
	BytesOut uint64
	BytesIn  uint64
	Opened   uint64        // connections
	Resumed  uint64        // those of them that resumed a TLS session
	Late     uint64        // requests sent after they were due, for want of a connection (open loop)
	Waited   time.Duration // time that the workers' loops had nothing to do, over all of them
	Unsent   uint64        // requests that were due (open loop) and not sent when the run ended
	Cut      uint64        // requests that were under way when the run was interrupted
	CutAfter time.Duration // how long the oldest of Unsent and Cut had been due
	Latency  [kindCount]*hdrhistogram.Histogram
	// Examples say of the first reply with a fault, or of the first error, what is
	// wrong, for the faults of which the name alone does not. Bytes from the wire
	// are escaped.
	Examples [faultCount]string
}

// NewTally returns an empty Tally.
func NewTally() *Tally {
	t := &Tally{}
	for i := range t.Latency {
		t.Latency[i] = hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
	}
	return t
}

// Answered returns how many whole replies there were.
func (t *Tally) Answered() uint64 {
	var n uint64
	for _, v := range t.Replies {
		n += v
	}
	return n
}

// Merge adds the counts of o.
func (t *Tally) Merge(o *Tally) {
	t.Sent += o.Sent
	t.Failures += o.Failures
	t.Peers += o.Peers
	t.BytesOut += o.BytesOut
	t.BytesIn += o.BytesIn
	t.Opened += o.Opened
	t.Resumed += o.Resumed
	t.Late += o.Late
	t.Waited += o.Waited
	t.Unsent += o.Unsent
	t.Cut += o.Cut
	t.CutAfter = max(t.CutAfter, o.CutAfter)
	for i := range t.Replies {
		t.Replies[i] += o.Replies[i]
		t.Latency[i].Merge(o.Latency[i])
	}
	for i := range t.Faults {
		t.Faults[i] += o.Faults[i]
		if t.Examples[i] == "" {
			t.Examples[i] = o.Examples[i]
		}
	}
}

// All returns the latencies of all kinds in one histogram.
func (t *Tally) All() *hdrhistogram.Histogram {
	h := hdrhistogram.New(latencyMin, latencyMax, latencyDigits)
	for _, l := range t.Latency {
		h.Merge(l)
	}
	return h
}

func (t *Tally) reset() {
	latency := t.Latency
	for _, h := range latency {
		h.Reset()
	}
	*t = Tally{Latency: latency}
}

// record notes the latency of a whole reply.
func (t *Tally) record(k Kind, latency time.Duration) {
	t.Replies[k]++
	// Out-of-range values are clamped: a latency of a minute is a fault of its own.
	_ = t.Latency[k].RecordValue(min(max(int64(latency), latencyMin), latencyMax))
}

// A meter is one worker's Tally. The worker writes it, and once in a while a
// reporter takes what has gathered; mu guards it, and is held for the counting
// of one reply at a time, so it is all but never contended.
type meter struct {
	mu sync.Mutex
	t  *Tally
}

func newMeter() *meter { return &meter{t: NewTally()} }

// drainInto moves what the meter has gathered into dst.
func (m *meter) drainInto(dst *Tally) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dst.Merge(m.t)
	m.t.reset()
}
