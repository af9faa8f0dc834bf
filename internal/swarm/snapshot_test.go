package swarm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"spate/internal/bittorrent"
	"spate/internal/swarm"
	"spate/internal/swarm/swarmtest"
)

// populate announces at random over the first hour, and returns how many hashes
// it used.
func populate(s *swarm.Store, n int) (hashes int) {
	rng := rand.New(rand.NewPCG(5, 5))
	var r bittorrent.AnnounceReply
	hashes = n / 20
	for i := range n {
		u := rng.Float64()
		a := bittorrent.Announce{
			InfoHash: hashOf(uint64(float64(hashes) * u * u * u)), Addr: addrOf(rng.Uint32N(1000)), Port: uint16(rng.IntN(9)),
			Seeder: rng.IntN(3) == 0,
			Event:  []bittorrent.Event{bittorrent.EventNone, bittorrent.EventCompleted, bittorrent.EventPaused}[rng.IntN(3)],
		}
		switch rng.IntN(5) {
		case 0:
			a.Addr = addr6Of(rng.Uint32N(1000))
		case 1:
			a.Addr = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
		}
		s.Announce(time.Duration(i)*time.Hour/time.Duration(n), &a, &r)
	}
	// The last torrents are of one peer that has come and gone.
	for i := range hashes / 4 {
		for _, event := range []bittorrent.Event{bittorrent.EventCompleted, bittorrent.EventStopped} {
			a := bittorrent.Announce{InfoHash: hashOf(uint64(hashes + i)), Addr: addrOf(1), Port: 1, Seeder: true, Event: event}
			s.Announce(time.Hour, &a, &r)
		}
	}
	hashes += hashes / 4
	return hashes
}

// content describes a torrent: its counts and, in order, its peers.
func content(s *swarm.Store, now time.Duration, hash bittorrent.InfoHash) string {
	e := bittorrent.ScrapeEntry{InfoHash: hash}
	s.Scrape(now, &e)
	if e.Complete+e.Incomplete == 0 {
		return fmt.Sprint(e)
	}
	var r bittorrent.AnnounceReply
	// Two questions of peers that come and go: all, and the leechers alone.
	out := fmt.Sprint(e)
	for _, seeder := range []bool{false, true} {
		a := bittorrent.Announce{InfoHash: hash, Addr: netip.MustParseAddr("9.9.9.9"), Port: 9, NumWant: 1 << 20, Seeder: seeder}
		s.Announce(now, &a, &r)
		peers := swarmtest.Peers(&r)
		slices.SortFunc(peers, netip.AddrPort.Compare)
		out += fmt.Sprint(" ", peers)
		a.Event = bittorrent.EventStopped
		s.Announce(now, &a, &r)
	}
	return out
}

// TestSnapshot: what is loaded is what was there, whatever the clock, the number
// of shards and the seed of the new process.
func TestSnapshot(t *testing.T) {
	old := newStore(t, func(c *swarm.Config) { c.Shards, c.MaxPeersPerIP = 4, 0 })
	hashes := populate(old, 60_000)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, start := range []time.Duration{0, 10 * time.Hour} {
		fresh := newStore(t, func(c *swarm.Config) { c.Shards, c.MaxPeersPerIP = 16, 0 })
		for range 2 { // the second load changes nothing
			if err := fresh.Load(bytes.NewReader(buf.Bytes()), start); err != nil {
				t.Fatal(err)
			}
		}
		check(t, fresh)
		if got, want := fresh.Stats(), old.Stats(); got.Torrents != want.Torrents || got.Remembered != want.Remembered ||
			got.Peers4 != want.Peers4 || got.Peers6 != want.Peers6 || got.Seeders != want.Seeders || want.Remembered == 0 {
			t.Fatalf("loaded %+v, want %+v", got, want)
		}
		for i := range hashes {
			if got, want := content(fresh, start, hashOf(uint64(i))), content(old, time.Hour, hashOf(uint64(i))); got != want {
				t.Fatalf("torrent %d: loaded %s, want %s", i, got, want)
			}
		}
		// Ages are what they were: half of the peers are older than 30 minutes.
		later := swarm.DefaultConfig().MaxPeerAge - 30*time.Minute
		sweep(fresh, start+later)
		if expired := fresh.Stats().ExpiredPeers; expired < 5_000 {
			t.Fatalf("%d peers expired", expired)
		}
	}
	sweep(old, swarm.DefaultConfig().MaxPeerAge+30*time.Minute)
}

// TestSnapshotOfAnotherAge: the tick follows MaxPeerAge, and ages are converted.
func TestSnapshotOfAnotherAge(t *testing.T) {
	old := newStore(t)
	fillSwarm(old, hashOf(1), 500)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, 30*time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		age  time.Duration
		left int
	}{{20 * time.Minute, 0}, {40 * time.Minute, 500}, {10 * time.Hour, 500}} {
		fresh := newStore(t, func(c *swarm.Config) { c.MaxPeerAge = test.age })
		if err := fresh.Load(bytes.NewReader(buf.Bytes()), 0); err != nil {
			t.Fatal(err)
		}
		if st := fresh.Stats(); st.Peers4 != test.left {
			t.Errorf("MaxPeerAge %v: %d peers, want %d", test.age, st.Peers4, test.left)
		}
		sweep(fresh, test.age-30*time.Minute+test.age/1000)
		if st := fresh.Stats(); st.Peers4 != 0 {
			t.Errorf("MaxPeerAge %v: %d peers too old", test.age, st.Peers4)
		}
		check(t, fresh)
	}
}

// TestSnapshotAmongAnnounces: a peer that is there all the while is in it.
func TestSnapshotAmongAnnounces(t *testing.T) {
	s := newStore(t, func(c *swarm.Config) { c.Shards = 1 })
	for i := range uint64(300) {
		fillSwarm(s, hashOf(i), 300)
	}
	rng := rand.New(rand.NewPCG(9, 9))
	var r bittorrent.AnnounceReply
	var buf bytes.Buffer
	w := writerFunc(func(b []byte) (int, error) {
		for range 300 {
			// Torrents below 100 vanish, the rest flips; addresses from 300 on
			// come and go.
			a := bittorrent.Announce{InfoHash: hashOf(rng.Uint64N(300)), Addr: addrOf(rng.Uint32N(400)), Port: 6881, Seeder: rng.IntN(2) == 0}
			if a.InfoHash == hashOf(rng.Uint64N(100)) || a.Addr.Compare(addrOf(300)) >= 0 && rng.IntN(2) == 0 {
				a.Event = bittorrent.EventStopped
			}
			if a.Event == bittorrent.EventStopped && a.Addr.Less(addrOf(300)) {
				for i := range uint32(400) {
					a.Addr = addrOf(i)
					s.Announce(0, &a, &r)
				}
				continue
			}
			s.Announce(0, &a, &r)
		}
		return buf.Write(b)
	})
	if err := s.Snapshot(w, 0); err != nil {
		t.Fatal(err)
	}
	fresh := newStore(t)
	if err := fresh.Load(&buf, 0); err != nil {
		t.Fatal(err)
	}
	check(t, fresh)
	for i := range uint64(200) {
		a := bittorrent.Announce{InfoHash: hashOf(100 + i), Addr: loopbackAddr, Port: 9, NumWant: 1000}
		fresh.Announce(0, &a, &r)
		got := map[netip.AddrPort]bool{}
		for _, p := range swarmtest.Peers(&r) {
			got[p] = true
		}
		for j := range uint32(300) {
			if !got[netip.AddrPortFrom(addrOf(j), 6881)] {
				t.Fatalf("torrent %d has lost peer %d", 100+i, j)
			}
		}
	}
}

var loopbackAddr = netip.AddrFrom4([4]byte{127, 0, 0, 1})

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// items returns how many peers and remembered download counts there are.
func items(s *swarm.Store) int {
	stats := s.Stats()
	return int(stats.Peers4 + stats.Peers6 + stats.Remembered)
}

// TestDamageCostsOneFrame: what is in the frames before and behind a damaged one is
// loaded all the same.
func TestDamageCostsOneFrame(t *testing.T) {
	const headerSize, frameHeadSize = 20, 8
	old := newStore(t)
	populate(old, 4000)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		t.Fatal(err)
	}
	whole := buf.Bytes()
	itemsIn := func(snapshot []byte, wantErr string) int {
		t.Helper()
		s := newStore(t)
		err := s.Load(bytes.NewReader(snapshot), 0)
		if !errors.Is(err, swarm.ErrSnapshot) || !strings.Contains(err.Error(), wantErr) {
			t.Fatalf("%v, and not %q", err, wantErr)
		}
		check(t, s)
		return items(s)
	}
	total, frames := items(old), 0
	for at := headerSize; ; frames++ {
		n := int(binary.LittleEndian.Uint32(whole[at:]))
		if n == 0 {
			break
		}
		end := at + frameHeadSize + n
		lost := itemsIn(slices.Concat(whole[:headerSize], whole[at:end]), "EOF")
		damaged := slices.Clone(whole)
		damaged[at+frameHeadSize+n/2] ^= 1
		kept := itemsIn(damaged, fmt.Sprintf("the frame at byte %d: %v: its checksum is wrong", at, swarm.ErrSnapshot))
		if lost == 0 || kept+lost != total {
			t.Errorf("the frame at byte %d has %d peers and remembered counts; without it there are %d of %d", at, lost, kept, total)
		}
		at = end
	}
	if frames < 3 {
		t.Fatalf("%d frames show nothing", frames)
	}
}

// TestSnapshotFailures: damage is an error, whatever it is, and what was loaded
// is sound.
func TestSnapshotFailures(t *testing.T) {
	old := newStore(t)
	populate(old, 400)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		t.Fatal(err)
	}
	whole := buf.Bytes()
	for i := 0; i < len(whole); i += 1 + i/50 {
		fresh := newStore(t)
		if err := fresh.Load(bytes.NewReader(whole[:i]), 0); !errors.Is(err, swarm.ErrSnapshot) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		damaged := slices.Clone(whole)
		damaged[i] ^= 0x10
		if err := fresh.Load(bytes.NewReader(damaged), 0); !errors.Is(err, swarm.ErrSnapshot) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
		check(t, fresh)
	}
	failure := errors.New("disk full")
	for n := range 5 {
		w := writerFunc(func(b []byte) (int, error) {
			if n--; n < 0 {
				return 0, failure
			}
			return len(b), nil
		})
		if err := old.Snapshot(w, time.Hour); !errors.Is(err, failure) {
			t.Errorf("Snapshot to a failing writer: %v", err)
		}
	}
}

// TestSnapshotOfAnotherFormat: one that is yet to come is told apart from what never was.
func TestSnapshotOfAnotherFormat(t *testing.T) {
	old := newStore(t)
	populate(old, 40)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		t.Fatal(err)
	}
	for format, newer := range map[byte]bool{0: false, 2: true, 200: true} {
		b := slices.Clone(buf.Bytes())
		b[8] = format
		fresh := newStore(t)
		err := fresh.Load(bytes.NewReader(b), 0)
		if !errors.Is(err, swarm.ErrSnapshot) || errors.Is(err, swarm.ErrSnapshotNewer) != newer {
			t.Errorf("format %d: %v", format, err)
		}
		if n := fresh.Stats().Torrents; n != 0 {
			t.Errorf("%d torrents of format %d were loaded", n, format)
		}
	}
}

// TestSnapshotWithoutAChecksumOfItsHeader: there was none at first.
func TestSnapshotWithoutAChecksumOfItsHeader(t *testing.T) {
	old := newStore(t)
	populate(old, 40)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		t.Fatal(err)
	}
	b := buf.Bytes()
	clear(b[len(b)-12 : len(b)-8])
	if err := newStore(t).Load(&buf, 0); err != nil {
		t.Error(err)
	}
}

// FuzzLoad: no snapshot breaks the store.
func FuzzLoad(f *testing.F) {
	old := newStore(f)
	populate(old, 40)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, time.Hour); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newStore(t, func(c *swarm.Config) { c.Shards, c.Seed = 1, 1 })
		if err := s.Load(bytes.NewReader(swarm.WithChecksums(b)), 0); err != nil && !errors.Is(err, swarm.ErrSnapshot) {
			t.Errorf("an error that is not ErrSnapshot: %v", err)
		}
		check(t, s)
	})
}

// BenchmarkLoad is the start with 5,000,000 peers: its budget is 3 s.
func BenchmarkLoad(b *testing.B) {
	old := newStore(b)
	longTail(old, 1_000_000, 5_000_000, addrOf)
	var buf bytes.Buffer
	if err := old.Snapshot(&buf, 0); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	begin := cpuTime(b)
	for b.Loop() {
		if err := newStore(b).Load(bytes.NewReader(buf.Bytes()), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// BenchmarkSnapshot writes 5,000,000 peers; max-ns is the longest time between
// two writes, of which a lock is held for less.
func BenchmarkSnapshot(b *testing.B) {
	s := newStore(b)
	longTail(s, 1_000_000, 5_000_000, addrOf)
	var longest time.Duration
	for b.Loop() {
		last := time.Now()
		w := writerFunc(func(p []byte) (int, error) {
			longest = max(longest, time.Since(last))
			n, err := io.Discard.Write(p)
			last = time.Now()
			return n, err
		})
		if err := s.Snapshot(w, 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(longest.Nanoseconds()), "max-ns")
}
