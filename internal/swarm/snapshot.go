package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"time"

	"spate/internal/bittorrent"
)

// A snapshot holds everything that a restart would lose. Ages are relative to
// the moment it is written, so the time until it is loaded does not count.
// All numbers are little-endian.
//
//	header  "SPATESWM" (8), version 1 (4), length of a tick in nanoseconds (8)
//	frames  length of the payload (4), CRC-32C of the payload (4), payload
//	end     a frame of length 0 with the CRC-32C of the header, then the number of
//	        items (8)
//
// A payload is a sequence of items, each whole:
//
//	torrent     1 (1), info hash (20), downloaded (4), IPv4 peers n (4), IPv6
//	            peers m (4), n compact IPv4 peers, n marks (2 each),
//	            m compact IPv6 peers, m marks
//	remembered  2 (1), info hash (20), downloaded (4), ticks since (4)
//
// A mark is that of layout.go, with an age in ticks in place of a tick. A torrent
// may come more than once, with other peers.
const (
	snapshotMagic   = "SPATESWM"
	snapshotVersion = 1

	itemTorrent    = 1
	itemRemembered = 2

	headerSize      = len(snapshotMagic) + 4 + 8
	frameHeadSize   = 8
	torrentHeadSize = 1 + bittorrent.InfoHashLen + 4 + 4 + 4
	rememberedSize  = 1 + bittorrent.InfoHashLen + 4 + 4

	// frameBytes is about how much is copied under one hold of a lock.
	frameBytes = 64 << 10
	maxFrame   = 4 * frameBytes
	// itemPeers is how many peers of one family an item holds at most.
	itemPeers = 1024
)

// ErrSnapshot is what an error of Load wraps where the snapshot itself is wrong:
// cut short, damaged, or of a version that is not known. ErrSnapshotNewer is what it
// wraps as well where that version is yet to come.
var (
	ErrSnapshot      = errors.New("not a usable snapshot")
	ErrSnapshotNewer = errors.New("a newer version of this program wrote it")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot writes all that the store holds to w, about 64 KiB under one hold of a
// shard's lock; nothing is locked during a write. What is announced meanwhile may
// or may not be in it; a peer that stays all the while is, unless its swarm has
// more than 1,024 peers and it changes places.
func (s *Store) Snapshot(w io.Writer, now time.Duration) error {
	head := append(make([]byte, 0, headerSize), snapshotMagic...)
	head = binary.LittleEndian.AppendUint32(head, snapshotVersion)
	head = binary.LittleEndian.AppendUint64(head, uint64(s.tick))
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("writing the snapshot's header: %w", err)
	}
	c := copier{frame: make([]byte, frameHeadSize, frameBytes+maxFrame/2)}
	for i := range s.shards {
		c.begin(&s.shards[i])
		for more := true; more; {
			c.sh.lock()
			c.sh.setNow(s.ticks(now))
			more = c.slice()
			c.sh.unlock()
			// A mutex that is taken again at once is ours again before whoever
			// waited for it has woken up, for up to a millisecond. So let it run.
			runtime.Gosched()
			if err := c.flush(w); err != nil {
				return err
			}
		}
	}
	end := binary.LittleEndian.AppendUint32(make([]byte, 4, 2*frameHeadSize), crc32.Checksum(head, castagnoli))
	end = binary.LittleEndian.AppendUint64(end, c.items)
	if _, err := w.Write(end); err != nil {
		return fmt.Errorf("writing the snapshot's end: %w", err)
	}
	return nil
}

// A copier walks over a shard from the last record to the first, as a sweep
// does and for the same reason.
type copier struct {
	sh     *shard
	frame  []byte
	items  uint64
	rec    uint32 // the records below are to come
	memory uint32 // the remembered counts below are to come

	inside bool // within record rec-1, whose hash is hash
	hash   bittorrent.InfoHash
	at     [2]uint32 // peers below these of each family are to come
}

func (c *copier) begin(sh *shard) {
	sh.lock()
	defer sh.unlock()
	c.sh, c.rec, c.memory, c.inside = sh, sh.n, sh.remembered, false
}

// slice appends a frame's worth of items. It reports whether there is more.
func (c *copier) slice() (more bool) {
	sh := c.sh
	for len(c.frame) < frameBytes {
		if c.rec = min(c.rec, sh.n); c.rec > 0 {
			c.torrent(c.rec - 1)
			continue
		}
		if c.memory = min(c.memory, sh.remembered); c.memory == 0 {
			return false
		}
		c.memory--
		m := sh.memory(c.memory)
		c.frame = append(c.frame, itemRemembered)
		c.frame = append(c.frame, m.hash[:]...)
		c.frame = binary.LittleEndian.AppendUint32(c.frame, m.downloaded)
		c.frame = binary.LittleEndian.AppendUint32(c.frame, uint32(sh.now)-m.tick)
		c.items++
	}
	return true
}

// torrent appends an item of a record, and goes on to the next one where that
// was its last. A record that another one has replaced meanwhile is begun anew.
func (c *copier) torrent(rec uint32) {
	r := c.sh.record(rec)
	if !c.inside || c.hash != r.hash {
		c.inside, c.hash, c.at = true, r.hash, [2]uint32{noPeer, noPeer}
	}
	var lists [2]list
	var n [2]uint32
	for f := range lists {
		l := &lists[f]
		l.open(c.sh, rec, r, f == 1)
		c.at[f] = min(c.at[f], l.size)
		n[f] = min(c.at[f], itemPeers)
	}
	c.frame = append(c.frame, itemTorrent)
	c.frame = append(c.frame, r.hash[:]...)
	for _, v := range []uint32{r.downloaded, n[0], n[1]} {
		c.frame = binary.LittleEndian.AppendUint32(c.frame, v)
	}
	c.items++
	for f := range lists {
		l := &lists[f]
		from, to := c.at[f]-n[f], c.at[f]
		if from < to {
			c.frame = l.appendPeers(c.frame, from, to)
		}
		for at := from; at < to; at++ {
			mark := l.mark(at)
			c.frame = binary.LittleEndian.AppendUint16(c.frame, mark&^markTicks|uint16(c.sh.age(mark)))
		}
		c.at[f] = from
	}
	if c.at == [2]uint32{} {
		c.inside, c.rec = false, rec
	}
}

// flush writes the frame.
func (c *copier) flush(w io.Writer) error {
	payload := c.frame[frameHeadSize:]
	if len(payload) == 0 {
		return nil
	}
	binary.LittleEndian.PutUint32(c.frame, uint32(len(payload)))
	binary.LittleEndian.PutUint32(c.frame[4:], crc32.Checksum(payload, castagnoli))
	_, err := w.Write(c.frame)
	c.frame = c.frame[:frameHeadSize]
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", err)
	}
	return nil
}
