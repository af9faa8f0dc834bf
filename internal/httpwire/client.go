package httpwire

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/ipaddr"
)

// Errors of ParseAnnounceReply and ParseScrapeReply beside ErrBencode.
var (
	// ErrFailure says that the reply is a sound refusal. FailureReason has
	// its text.
	ErrFailure = errors.New("the tracker refused the request")
	// ErrReply says that the reply is sound bencode, but not what a client can
	// use: something is missing, or has a length or value that is impossible.
	ErrReply = errors.New("unusable reply")

	errNoInterval   = replyError("interval is missing")
	errNoPeers      = replyError("peers and peers6 are both missing")
	errPeersLen     = replyError("peers is not a list, nor a string of 6 bytes a peer")
	errPeers6Len    = replyError("peers6 is not a string of 18 bytes a peer")
	errPeer         = replyError("a peer without a usable ip or port")
	errExternalIP   = replyError("external ip has neither 4 nor 16 bytes, or is IPv4-mapped")
	errNoFiles      = replyError("files is missing")
	errFilesHash    = replyError("a key of files is not of 20 bytes")
	errFilesCounts  = replyError("an entry of files without complete or incomplete")
	errFailureEmpty = replyError("failure reason is empty")
)

// replyError is an ErrReply that says why.
type replyError string

func (e replyError) Error() string { return ErrReply.Error() + ": " + string(e) }

// Unwrap makes every replyError an ErrReply.
func (e replyError) Unwrap() error { return ErrReply }

// FailureReason returns the text of a refusal, as a part of body, and whether
// body is one: a canonical bencoded dictionary with a failure reason.
func FailureReason(body []byte) (reason []byte, ok bool) {
	d := decoder{src: body}
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		if string(last) == "failure reason" {
			reason = d.str()
		} else {
			d.skip(1)
		}
	}
	d.end()
	if d.err != nil || len(reason) == 0 {
		return nil, false
	}
	return reason, true
}

// ParseAnnounceReply parses the reply to an announce to r, more strictly than
// any client: canonical bencode only, whole peers only, `interval` there and
// `peers` or `peers6` too, integers from 0 to 2³¹-1, nothing after the end.
// Unknown keys are checked and skipped, so that any tracker's reply can be read.
// Requester6 says that peers6 was there; ExternalIP is never IPv4-mapped. An
// error wraps ErrBencode, ErrReply or, for a refusal, ErrFailure; r is then
// zero but for the capacity of its slices, which a success appends to as well.
func ParseAnnounceReply(body []byte, r *bittorrent.AnnounceReply) error {
	empty := bittorrent.AnnounceReply{Peers: r.Peers[:0], Peers6: r.Peers6[:0]}
	*r = empty
	r.Compact = true
	d := decoder{src: body}
	var seen announceSeen
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		d.announceValue(last, r, &seen)
	}
	d.end()
	if d.err == nil {
		d.err = seen.missing()
	}
	if d.err != nil {
		*r = empty
	}
	return d.err
}

// announceSeen says which keys an announce's reply had.
type announceSeen struct{ failure, interval, peers, peers6 bool }

// missing returns what a reply with those keys is, nil where it is whole.
func (s *announceSeen) missing() error {
	switch {
	case s.failure:
		return ErrFailure
	case !s.interval:
		return errNoInterval
	case !s.peers && !s.peers6:
		return errNoPeers
	}
	return nil
}

// announceValue reads the value of one key of an announce's reply.
func (d *decoder) announceValue(key []byte, r *bittorrent.AnnounceReply, seen *announceSeen) {
	switch string(key) {
	case "complete":
		r.Complete = d.count(maxInt)
	case "downloaded":
		r.Downloaded = d.count(maxInt)
	case "incomplete":
		r.Incomplete = d.count(maxInt)
	case "interval":
		r.Interval = time.Duration(d.count(maxInt)) * time.Second
		seen.interval = true
	case "min interval":
		r.MinInterval = time.Duration(d.count(maxInt)) * time.Second
	case "external ip":
		r.ExternalIP = d.externalIP()
	case "peers":
		d.peers(r)
		seen.peers = true
	case "peers6":
		s := d.str()
		if len(s)%bittorrent.CompactLen6 != 0 {
			d.fail(errPeers6Len)
		}
		r.Peers6 = append(r.Peers6, s...)
		r.Requester6, seen.peers6 = true, true
	case "failure reason":
		if s := d.str(); s != nil && len(s) == 0 {
			d.fail(errFailureEmpty)
		}
		seen.failure = true
	default:
		d.skip(1)
	}
}

// externalIP reads the address of `external ip`.
func (d *decoder) externalIP() netip.Addr {
	a, ok := netip.AddrFromSlice(d.str())
	if d.err == nil && (!ok || a.Is4In6()) {
		d.fail(errExternalIP)
		return netip.Addr{}
	}
	return a
}

// peers reads the value of peers in either form.
func (d *decoder) peers(r *bittorrent.AnnounceReply) {
	if d.peek() != 'l' {
		s := d.str()
		if len(s)%bittorrent.CompactLen4 != 0 {
			d.fail(errPeersLen)
		}
		r.Peers = append(r.Peers, s...)
		return
	}
	r.Compact = false
	d.open('l')
	for d.more() {
		d.peer(r)
	}
}

// peer reads one dictionary of a list of peers.
func (d *decoder) peer(r *bittorrent.AnnounceReply) {
	var ip netip.Addr
	var port uint32
	portSeen := false
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		switch string(last) {
		case "ip":
			ip, _ = ipaddr.Parse(d.str())
		case "port":
			port = d.count(65535)
			portSeen = true
		default:
			d.skip(3)
		}
	}
	if d.err == nil && (!ip.IsValid() || !portSeen) {
		d.fail(errPeer)
	}
	if d.err != nil {
		return
	}
	if ip.Is4() {
		a := ip.As4()
		r.Peers = binary.BigEndian.AppendUint16(append(r.Peers, a[:]...), uint16(port))
	} else {
		a := ip.As16()
		r.Peers6 = binary.BigEndian.AppendUint16(append(r.Peers6, a[:]...), uint16(port))
	}
}

// ParseScrapeReply parses the reply to a scrape, as strictly as
// ParseAnnounceReply does an announce's, and appends its entries to dst, in
// ascending order of their info hashes. complete and incomplete must be there.
// An error wraps ErrBencode, ErrReply or, for a refusal, ErrFailure; dst is then
// returned as it was, and what was appended behind it is lost.
func ParseScrapeReply(body []byte, dst []bittorrent.ScrapeEntry) ([]bittorrent.ScrapeEntry, error) {
	d := decoder{src: body}
	entries := dst
	files, failure := false, false
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		switch string(last) {
		case "files":
			entries = d.files(entries)
			files = true
		case "failure reason":
			d.skip(1)
			failure = true
		default:
			d.skip(1)
		}
	}
	d.end()
	switch {
	case d.err != nil:
		return dst, d.err
	case failure:
		return dst, ErrFailure
	case !files:
		return dst, errNoFiles
	}
	return entries, nil
}

// files reads the value of files.
func (d *decoder) files(dst []bittorrent.ScrapeEntry) []bittorrent.ScrapeEntry {
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		if d.err == nil && len(last) != bittorrent.InfoHashLen {
			d.fail(errFilesHash)
		}
		var e bittorrent.ScrapeEntry
		copy(e.InfoHash[:], last)
		d.counts(&e)
		dst = append(dst, e)
	}
	return dst
}

// counts reads the dictionary of one torrent.
func (d *decoder) counts(e *bittorrent.ScrapeEntry) {
	complete, incomplete := false, false
	d.open('d')
	for last := []byte(nil); d.more(); {
		last = d.key(last)
		switch string(last) {
		case "complete":
			e.Complete = d.count(maxInt)
			complete = true
		case "incomplete":
			e.Incomplete = d.count(maxInt)
			incomplete = true
		case "downloaded":
			e.Downloaded = d.count(maxInt)
		case "downloaders":
			e.Downloaders = d.count(maxInt)
		default:
			d.skip(3)
		}
	}
	if d.err == nil && (!complete || !incomplete) {
		d.fail(errFilesCounts)
	}
}
