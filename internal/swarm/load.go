package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"spate/internal/bittorrent"
)

// Load takes in a snapshot that was written by Snapshot, as if it had been
// written at now. Peers and torrents that the store already has stay as they
// are; limits of the configuration hold. An error that wraps ErrSnapshot says
// what of the snapshot is not usable first; all frames that are sound, also
// behind it, are in the store, and none where it wraps ErrSnapshotNewer. Another
// error is the reader's, which ends it. One shard is locked at a time, for at most
// 2,048 peers.
func (s *Store) Load(r io.Reader, now time.Duration) error {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return fmt.Errorf("reading its header: %w", readError(err))
	}
	if string(head[:len(snapshotMagic)]) != snapshotMagic {
		return fmt.Errorf("%w: it does not start with %q", ErrSnapshot, snapshotMagic)
	}
	switch v := binary.LittleEndian.Uint32(head[len(snapshotMagic):]); {
	case v > snapshotVersion:
		return fmt.Errorf("%w: %w, in format %d, and this one reads up to %d", ErrSnapshot, ErrSnapshotNewer, v, snapshotVersion)
	case v < snapshotVersion:
		return fmt.Errorf("%w: there is no format %d", ErrSnapshot, v)
	}
	tick := time.Duration(binary.LittleEndian.Uint64(head[len(snapshotMagic)+4:]))
	if tick <= 0 || tick > 1<<50 {
		return fmt.Errorf("%w: its ticks are %d ns long", ErrSnapshot, tick)
	}
	l := loader{store: s, now: s.ticks(now), tick: tick, head: crc32.Checksum(head[:], castagnoli), buf: make([]byte, maxFrame)}
	var damage error // the first
	for offset := int64(headerSize); ; {
		payload, sum, err := l.frame(r)
		switch {
		case damage != nil && (err != nil || payload == nil):
			return damage
		case err != nil:
			return fmt.Errorf("the frame at byte %d: %w", offset, err)
		case payload == nil:
			return nil
		}
		if err := l.apply(payload, sum); err != nil && damage == nil {
			damage = fmt.Errorf("the frame at byte %d: %w", offset, err)
		}
		offset += int64(len(payload)) + frameHeadSize
	}
}

// readError returns what is wrong with a snapshot that could not be read on: it is too
// short, or nothing that it can be blamed for.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it is cut short (%w)", ErrSnapshot, err)
	}
	return err
}

// A loader is one Load.
type loader struct {
	store *Store
	now   uint64
	tick  time.Duration // of the snapshot
	head  uint32        // checksum of the header
	buf   []byte        // maxFrame long
	items uint64
}

// frame reads a frame: its payload, which is good until the next call, and the
// checksum that it should have. At the end the payload is nil.
func (l *loader) frame(r io.Reader) (payload []byte, sum uint32, err error) {
	var head [frameHeadSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, readError(err)
	}
	n, sum := binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:])
	if n == 0 {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, 0, readError(err)
		}
		if want := binary.LittleEndian.Uint64(head[:]); want != l.items {
			return nil, 0, fmt.Errorf("%w: it should have %d items and has %d", ErrSnapshot, want, l.items)
		}
		if sum != 0 && sum != l.head { // 0 was written until there was a checksum
			return nil, 0, fmt.Errorf("%w: the checksum of its header is wrong, so that peers may have gone too early", ErrSnapshot)
		}
		return nil, 0, nil
	}
	if n > maxFrame {
		return nil, 0, fmt.Errorf("%w: %d bytes are more than a frame has", ErrSnapshot, n)
	}
	payload = l.buf[:n]
	if _, err := io.ReadFull(r, payload); err != nil {
		return nil, 0, readError(err)
	}
	return payload, sum, nil
}

// apply takes in the items of a frame, none where its checksum is wrong.
func (l *loader) apply(payload []byte, sum uint32) error {
	if crc32.Checksum(payload, castagnoli) != sum {
		return fmt.Errorf("%w: its checksum is wrong", ErrSnapshot)
	}
	for len(payload) > 0 {
		used := l.item(payload)
		if used == 0 {
			return fmt.Errorf("%w: an item %d bytes before its end is malformed", ErrSnapshot, len(payload))
		}
		payload = payload[used:]
		l.items++
	}
	return nil
}

// item applies the first item of b and returns its length, 0 where there is
// none.
func (l *loader) item(b []byte) int {
	switch {
	case b[0] == itemRemembered && len(b) >= rememberedSize:
		l.remembered(bittorrent.InfoHash(b[1:21]), binary.LittleEndian.Uint32(b[21:]), binary.LittleEndian.Uint32(b[25:]))
		return rememberedSize
	case b[0] == itemTorrent && len(b) >= torrentHeadSize:
		n4, n6 := binary.LittleEndian.Uint32(b[25:]), binary.LittleEndian.Uint32(b[29:])
		if n4 > itemPeers || n6 > itemPeers {
			return 0
		}
		end4 := torrentHeadSize + int(n4)*(bittorrent.CompactLen4+markSize)
		end6 := end4 + int(n6)*(bittorrent.CompactLen6+markSize)
		if end6 > len(b) {
			return 0
		}
		l.torrent(bittorrent.InfoHash(b[1:21]), binary.LittleEndian.Uint32(b[21:]), [2][]byte{b[torrentHeadSize:end4], b[end4:end6]})
		return end6
	}
	return 0
}

// age converts an age in the snapshot's ticks to the store's.
func (l *loader) age(ticks uint64) uint64 {
	if l.tick == l.store.tick {
		return ticks
	}
	return uint64(min(float64(ticks)*float64(l.tick)/float64(l.store.tick), 1<<40))
}

// remembered takes in a remembered download count.
func (l *loader) remembered(hash bittorrent.InfoHash, downloaded, ticks uint32) {
	age := l.age(uint64(ticks))
	if age > uint64(l.store.forget) {
		return
	}
	l.store.arena.prepare()
	sh, h := l.store.shard(&hash)
	sh.lock()
	defer sh.unlock()
	sh.setNow(l.now)
	if _, r := sh.findRecord(&hash, h); r != nil {
		return
	}
	if _, m := sh.findMemory(&hash, h); m == nil {
		sh.remember(&hash, h, downloaded, sh.now-age)
	}
}

// torrent takes in peers of a torrent.
func (l *loader) torrent(hash bittorrent.InfoHash, downloaded uint32, peers [2][]byte) {
	roomy := l.store.arena.prepare()
	sh, h := l.store.shard(&hash)
	sh.lock()
	defer sh.unlock()
	sh.setNow(l.now)
	rec, r := sh.findRecord(&hash, h)
	if r == nil {
		if !roomy || !sh.roomForTorrent() {
			sh.leftTorrents++
			sh.leftPeers += uint64(len(peers[0])/(bittorrent.CompactLen4+markSize) + len(peers[1])/(bittorrent.CompactLen6+markSize))
			return
		}
		rec, r = sh.addRecord(&hash, h)
		r.downloaded = sh.recall(&hash, h)
	}
	r.downloaded = max(r.downloaded, downloaded)
	for f, b := range peers {
		if len(b) == 0 {
			continue
		}
		var own list
		own.open(sh, rec, r, f == 1)
		n := len(b) / (int(own.width) + markSize)
		marks := b[n*int(own.width):]
		for i := range n {
			l.peer(&own, keyAt(b[i*int(own.width):], own.six), binary.LittleEndian.Uint16(marks[i*markSize:]), roomy)
		}
		own.save()
	}
	if r.empty() {
		sh.dropRecord(rec, r, h, sh.now)
	}
}

// peer takes in one peer, unless the list has it already, it is too old, or
// there is no room for it.
func (l *loader) peer(own *list, k peerKey, mark uint16, roomy bool) {
	sh := own.sh
	age := l.age(uint64(mark & markTicks))
	if age > ageTicks {
		return
	}
	h := sh.hash(&k, own.six)
	limited := sh.perIP > 0 && own.size >= uint32(sh.perIP) && !k.private(own.six)
	if limited {
		if _, found, c := own.meet(&k, h); found || c.n >= sh.perIP {
			return
		}
	} else if _, found := own.find(&k, h); found {
		return
	}
	if !roomy || own.size >= sh.store.maxPeers || sh.arena.used.Load() >= sh.store.hardPages {
		sh.leftPeers++
		return
	}
	mark = mark&^markTicks | uint16((sh.now-age)&markTicks)
	if mark&markSeeder != 0 {
		mark &^= markPaused
	}
	own.insert(&k, h, mark)
}
