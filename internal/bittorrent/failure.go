package bittorrent

// Failure is a reason that a client may see. The set is closed, so that each
// can be counted. FailureNone is no failure at all; a Failure is not an error,
// since a refused request is part of a tracker's normal day.
type Failure uint8

// The failures, in the order in which they are counted.
const (
	FailureNone Failure = iota
	FailureInfoHashMissing
	FailureInfoHashLength
	FailureInfoHashHex
	FailureInfoHashEscape
	FailureInfoHashDuplicate
	FailurePeerIDLength
	FailurePortMissing
	FailurePortInvalid
	FailurePortDuplicate
	FailureUnregistered
	FailureScrapeEmpty
	FailureScrapeAll
	FailureScrapeOff
	FailureClientAddress
	FailureFull
	FailureRate
	failureCount
)

// FailureCount is how many values of Failure there are, FailureNone included.
const FailureCount = int(failureCount)

// failures holds for each Failure its label in metrics and the text that a
// client is sent. Transmission stops asking when it reads "unregistered
// torrent", so only that refusal may contain those words.
var failures = [failureCount]struct{ label, reason string }{
	FailureNone:              {"none", ""},
	FailureInfoHashMissing:   {"info_hash_missing", "info_hash is missing: it needs the 20 bytes of the torrent's info hash, URL-escaped"},
	FailureInfoHashLength:    {"info_hash_length", "info_hash has a wrong length: it needs exactly 20 bytes after unescaping"},
	FailureInfoHashHex:       {"info_hash_hex", "info_hash is written in hex digits: it needs the 20 raw bytes, URL-escaped"},
	FailureInfoHashEscape:    {"info_hash_escape", "info_hash has a bad % escape: each % needs two hex digits after it"},
	FailureInfoHashDuplicate: {"info_hash_duplicate", "info_hash came more than once: an announce is for one torrent"},
	FailurePeerIDLength:      {"peer_id_length", "peer_id has a wrong length: it needs exactly 20 bytes after unescaping"},
	FailurePortMissing:       {"port_missing", "port is missing: it needs the number of the port that the client listens on"},
	FailurePortInvalid:       {"port_invalid", "port is invalid: it needs a number from 0 to 65535"},
	FailurePortDuplicate:     {"port_duplicate", "port came more than once with different values"},
	FailureUnregistered:      {"unregistered", "unregistered torrent: this tracker does not serve it"},
	FailureScrapeEmpty:       {"scrape_empty", "info_hash is missing: a scrape needs at least one, and this tracker gives no full scrape"},
	FailureScrapeOff:         {"scrape_off", "this tracker answers no scrapes"},
	FailureScrapeAll:         {"scrape_all", "the tracker has more torrents than it gives in a full scrape: ask for those that matter by info_hash"},
	FailureClientAddress:     {"client_address", "the reverse proxy sent no usable client address: its administrator has to make it set one"},
	FailureFull:              {"full", "the tracker is full and takes no new torrents now"},
	FailureRate:              {"rate", "too many requests from this address: announce less often"},
}

// Label returns the failure's name in metrics: lower-case words joined by
// underscores.
func (f Failure) Label() string { return failures[f].label }

// Reason returns the text that a client is sent as `failure reason`. It is
// plain ASCII.
func (f Failure) Reason() string { return failures[f].reason }

// Permanent reports whether the same request will go on failing, so that the
// client is told never to retry (BEP 31).
func (f Failure) Permanent() bool { return f == FailureUnregistered }

// Temporary reports whether the same request will succeed after a while, so that
// the client is told how long to wait.
func (f Failure) Temporary() bool { return f == FailureRate }
