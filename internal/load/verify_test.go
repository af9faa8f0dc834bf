package load

import (
	"net/netip"
	"testing"

	"spate/internal/bittorrent"
)

// script drives a book with one torrent.
type script struct {
	t *testing.T
	b *book
}

func newScript(t *testing.T) *script { return &script{t, newBook(1, 0)} }

func addrPort(n byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, n}), 1000+uint16(n))
}

func (s *script) request(n byte, event bittorrent.Event, seeder bool) *request {
	r := &request{kind: KindAnnounce, addr: addrPort(n).Addr()}
	r.a = announce{port: addrPort(n).Port(), event: event, seeder: seeder, peerID: [20]byte{n}}
	return r
}

// send begins an announce; the returned function ends it with the given reply
// and returns the faults found.
func (s *script) send(n byte, event bittorrent.Event, seeder bool) func(reply bittorrent.AnnounceReply, peers ...byte) Faults {
	r := s.request(n, event, seeder)
	m := s.b.sending(r, r.addr)
	return func(reply bittorrent.AnnounceReply, peers ...byte) (f Faults) {
		var list []netip.AddrPort
		for _, p := range peers {
			list = append(list, addrPort(p))
		}
		s.b.answered(r, r.addr, m, &reply, list, &f)
		return f
	}
}

func counts(complete, incomplete, downloaded uint32) bittorrent.AnnounceReply {
	return bittorrent.AnnounceReply{Complete: complete, Incomplete: incomplete, Downloaded: downloaded}
}

func (s *script) want(got Faults, faults ...Fault) {
	s.t.Helper()
	var want Faults
	for _, f := range faults {
		want[f]++
	}
	if got != want {
		for f := range got {
			if got[f] != want[f] {
				s.t.Errorf("%v: %d times, want %d", Fault(f), got[f], want[f])
			}
		}
	}
}

func TestBookAcceptsAnHonestTracker(t *testing.T) {
	s := newScript(t)
	s.want(s.send(1, bittorrent.EventStarted, false)(counts(0, 1, 0)))
	s.want(s.send(2, bittorrent.EventStarted, true)(counts(1, 1, 0), 1))
	s.want(s.send(1, bittorrent.EventCompleted, true)(counts(2, 0, 1), 2))
	s.want(s.send(2, bittorrent.EventStopped, true)(counts(1, 0, 1)))
	s.want(s.send(3, bittorrent.EventStarted, false)(counts(1, 1, 1), 1))
}

func TestBookFindsEachFault(t *testing.T) {
	setUp := func(t *testing.T) *script {
		s := newScript(t)
		s.send(1, bittorrent.EventStarted, false)(counts(0, 1, 0))
		s.send(2, bittorrent.EventStarted, true)(counts(1, 1, 0), 1)
		s.send(4, bittorrent.EventStarted, false)(counts(1, 2, 0), 1)
		s.send(4, bittorrent.EventStopped, false)(counts(1, 1, 0))
		return s
	}
	for _, c := range []struct {
		name  string
		reply bittorrent.AnnounceReply
		peers []byte
		want  []Fault
	}{
		{"right", counts(1, 2, 0), []byte{1, 2}, nil},
		{"stranger", counts(1, 2, 0), []byte{1, 9}, []Fault{FaultStrangePeer}},
		{"stale", counts(1, 2, 0), []byte{4}, []Fault{FaultStalePeer}},
		{"self", counts(1, 2, 0), []byte{3, 1}, []Fault{FaultSelf}},
		{"twice", counts(1, 2, 0), []byte{1, 2, 1}, []Fault{FaultTwice}},
		{"too few", counts(1, 0, 0), nil, []Fault{FaultCounts}},
		{"too many", counts(1, 3, 0), nil, []Fault{FaultCounts}},
		{"too many seeders", counts(2, 1, 0), nil, []Fault{FaultCounts}},
		{"downloads of nobody", counts(1, 2, 1), nil, []Fault{FaultCounts}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := setUp(t)
			s.want(s.send(3, bittorrent.EventStarted, false)(c.reply, c.peers...), c.want...)
		})
	}
}

func TestBookAllowsWhatCrossesOnTheWay(t *testing.T) {
	s := newScript(t)
	s.send(1, bittorrent.EventStarted, false)(counts(0, 1, 0))
	stop := s.send(1, bittorrent.EventStopped, false)
	other := s.send(2, bittorrent.EventStarted, false)
	// While the stop is on its way, peer 1 may be there or not.
	s.want(other(counts(0, 2, 0), 1))
	s.want(s.send(2, bittorrent.EventNone, false)(counts(0, 1, 0)))
	late := s.send(3, bittorrent.EventStarted, false)
	s.want(stop(counts(0, 1, 0)))
	// Sent before the stop was answered: peer 1 may still be named.
	s.want(late(counts(0, 3, 0), 1, 2))
}

func TestBookDoubtsAPeerWhoseStopCrossedItsAnnounce(t *testing.T) {
	s := newScript(t)
	s.send(1, bittorrent.EventStarted, false)(counts(0, 1, 0))
	again := s.send(1, bittorrent.EventNone, false)
	stop := s.send(1, bittorrent.EventStopped, false)
	s.want(again(counts(0, 1, 0)))
	s.want(stop(counts(0, 0, 0)))
	// Nobody knows whether peer 1 is there.
	s.want(s.send(2, bittorrent.EventStarted, false)(counts(0, 1, 0)))
	s.want(s.send(2, bittorrent.EventNone, false)(counts(0, 2, 0), 1))
}

func TestBookDoubtsAPeerWhoseRequestWasLost(t *testing.T) {
	s := newScript(t)
	r := s.request(1, bittorrent.EventStarted, false)
	s.b.sending(r, r.addr)
	s.b.lost(r, r.addr)
	s.want(s.send(2, bittorrent.EventStarted, false)(counts(0, 1, 0)))
	s.want(s.send(2, bittorrent.EventNone, false)(counts(0, 2, 0), 1))
}

func TestBookDoubtsPeersOfACrowdedAddress(t *testing.T) {
	s := &script{t, newBook(1, 2)}
	host := netip.MustParseAddr("12.0.0.1")
	send := func(port uint16, event bittorrent.Event) func(bittorrent.AnnounceReply) Faults {
		r := s.request(1, event, false)
		r.a.port = port
		m := s.b.sending(r, host)
		return func(reply bittorrent.AnnounceReply) (f Faults) {
			s.b.answered(r, host, m, &reply, nil, &f)
			return f
		}
	}
	s.want(send(1, bittorrent.EventStarted)(counts(0, 1, 0)))
	s.want(send(2, bittorrent.EventStarted)(counts(0, 2, 0)))
	s.want(send(2, bittorrent.EventNone)(counts(0, 1, 0)), FaultCounts)
	waiting := send(2, bittorrent.EventNone)
	// The third may push one of the others out, or not.
	s.want(send(3, bittorrent.EventStarted)(counts(0, 2, 0)))
	s.want(waiting(counts(0, 1, 0)))
	s.want(send(1, bittorrent.EventNone)(counts(0, 3, 0)))
	s.want(send(1, bittorrent.EventNone)(counts(0, 4, 0)), FaultCounts)
	s.want(send(1, bittorrent.EventStopped)(counts(0, 1, 0)))
}
