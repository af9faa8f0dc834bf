package swarm

import (
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"spate/internal/bittorrent"
)

const (
	// ageTicks is how many ticks of the store's clock a peer lives, so a tick is
	// a 4000th of MaxPeerAge. A mark holds twice that, so that a shard may go
	// without a pass for as long again before rescue has to look at it.
	ageTicks = 4000
	// maxPassTicks is how many ticks after its last pass began a shard's marks
	// are unambiguous.
	maxPassTicks = markTicks - ageTicks - 8

	minShards, maxDefaultShards = 64, 1024
	shardsPerProcessor          = 64

	// memoryLow is the share of MaxMemory, as a shift, that new torrents leave
	// to the growth of those that are there.
	memoryLow = 4
)

// A Store holds who shares what. All methods are safe for concurrent use.
type Store struct {
	cfg       Config
	tick      time.Duration // length of a tick
	forget    uint32        // ticks for which a download count is remembered
	keys      hasher
	shardBits uint
	shards    []shard
	arena     *arena
	softPages int64 // pages in use above which there are no new torrents
	hardPages int64 // and above which no list grows

	sliceBudget int    // what a slice of a sweep may cost
	maxPeers    uint32 // of one family in a torrent: what a slot can name

	torrents atomic.Int64 // with peers, of all shards

	sweep struct {
		mu     sync.Mutex // guards the rest; taken before a shard's
		next   int        // shard of the next slice; len(shards): trim
		passes uint64
	}
}

// New returns an empty store, or an error that says all that is wrong with cfg.
func New(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := cfg.Shards
	if n == 0 {
		n = min(max(minShards, ceilPowerOf2(shardsPerProcessor*runtime.GOMAXPROCS(0))), maxDefaultShards)
	}
	s := &Store{
		cfg:       cfg,
		tick:      (cfg.MaxPeerAge + ageTicks - 1) / ageTicks,
		keys:      newHasher(cfg.Seed),
		shardBits: uint(bits.TrailingZeros(uint(n))),
		shards:    make([]shard, n),
		arena:     newArena(),

		sliceBudget: defaultSliceBudget,
		maxPeers:    maxSlabRecords,
	}
	s.forget = uint32(min((cfg.DownloadedMemory+s.tick-1)/s.tick, 1<<31))
	// Where the arena itself is the limit, growth ends before its headroom.
	s.hardPages = MemoryLimit/pageSize - 2*headroom
	if cfg.MaxMemory > 0 {
		s.hardPages = min(s.hardPages, cfg.MaxMemory/pageSize)
	}
	s.softPages = s.hardPages - s.hardPages>>memoryLow
	s.addLanes()
	for i := range s.shards {
		sh := &s.shards[i]
		sh.store, sh.arena, sh.keys, sh.perIP = s, s.arena, s.keys, cfg.MaxPeersPerIP
		sh.now, sh.lastPass = s.ticks(0), s.ticks(0)
	}
	return s, nil
}

func ceilPowerOf2(n int) int { return 1 << bits.Len(uint(n-1)) }

// ticks converts a time to ticks. Those of snapshots lie before the start, so
// the clock starts late enough for all of them.
func (s *Store) ticks(now time.Duration) uint64 { return uint64(now/s.tick) + 2*ageTicks }

// shard returns the shard of an info hash and its hash.
func (s *Store) shard(hash *bittorrent.InfoHash) (*shard, uint64) {
	h := s.keys.infoHash(hash)
	return &s.shards[shardOf(h, s.shardBits)], h
}

// A shardState is what a shard's locks guard, but for the first fields, which
// never change.
type shardState struct {
	store *Store
	arena *arena
	keys  hasher
	perIP int

	now      uint64 // ticks: the latest time that the shard was told
	lastPass uint64 // ticks: when the last complete pass over the shard began

	records []uint32 // page numbers
	n       uint32   // records
	index   directory

	slabs    [classCount]slab
	bigs     []big
	freeBigs []uint32

	memories    []uint32 // page numbers
	remembered  uint32
	memoryIndex directory

	sweep sweepState

	handOf, hand uint32 // see crowd

	seeders [2]int // by family
	peers   [2]int // by family
	lists   [2]int // torrents with peers of a family

	expired, refused, replaced, displaced, full, forgotten uint64
	leftTorrents, leftPeers                                uint64
}

// A shard holds the torrents of a share of all info hashes.
type shard struct {
	lanes [laneCount]*lane
	shardState
	_ [64]byte // two shards share no cache line
}

// hash returns the hash of a peer in an index. All records of one source share
// it where their number is limited, so that one walk counts them.
func (sh *shard) hash(k *peerKey, six bool) uint64 {
	if sh.perIP == 0 || k.private(six) {
		if six {
			return fold(sh.keys.pair(k.hi, k.lo)^uint64(k.port), sh.keys[1])
		}
		return sh.keys.pair(k.lo, uint64(k.port)+1)
	}
	if six {
		return sh.keys.pair(k.hi, 0)
	}
	return sh.keys.pair(k.lo, 0)
}

// age returns how many ticks ago a mark was made. It was at most markTicks ago:
// see rescue.
func (sh *shard) age(mark uint16) uint64 { return (sh.now - uint64(mark)) & markTicks }

// setNow advances the shard's clock, which never goes back, whatever the order
// in which callers come. It reports whether anything may have changed places.
func (sh *shard) setNow(now uint64) (moved bool) {
	if now <= sh.now {
		return false
	}
	if moved = now-sh.lastPass > maxPassTicks; moved {
		sh.rescue(now)
	}
	sh.now = now
	return moved
}

// record returns a record by its number.
func (sh *shard) record(rec uint32) *record {
	return &sh.arena.page(sh.records[rec/recordsPerPage]).records()[rec%recordsPerPage]
}

// findRecord returns a torrent's record.
func (sh *shard) findRecord(hash *bittorrent.InfoHash, h uint64) (rec uint32, r *record) {
	s := sh.index.slots(sh.arena, h)
	if s == nil {
		return 0, nil
	}
	tag := tagOf(h)
	for i := home(h, len(s)); s[i] != 0; i = next(i, len(s)) {
		if s[i]&tagMask == tag {
			rec := s[i]&posMask - 1
			if r := sh.record(rec); r.hash == *hash {
				return rec, r
			}
		}
	}
	return 0, nil
}

// addRecord appends an empty record.
func (sh *shard) addRecord(hash *bittorrent.InfoHash, h uint64) (rec uint32, r *record) {
	if sh.n%recordsPerPage == 0 {
		sh.records = append(sh.records, sh.arena.alloc())
	}
	rec = sh.n
	sh.n++
	r = sh.record(rec)
	*r = record{hash: *hash}
	sh.index.insert(sh.arena, h, rec, sh.recordHash)
	sh.store.torrents.Add(1)
	return rec, r
}

// removeRecord removes a record without peers. The last one takes its place.
func (sh *shard) removeRecord(rec uint32) {
	sh.index.remove(sh.arena, sh.recordHash(rec), rec, sh.recordHash)
	sh.n--
	last := sh.n
	sh.sweep.removed(rec, last)
	if last != rec {
		sh.index.move(sh.arena, sh.recordHash(last), last, rec)
		r := sh.record(rec)
		*r = *sh.record(last)
		sh.own(rec, r)
	}
	if last%recordsPerPage == 0 {
		sh.arena.release(sh.records[last/recordsPerPage])
		sh.records = shrink(sh.records, int(last/recordsPerPage))
	}
	sh.store.torrents.Add(-1)
}

// own tells the blocks of a record that has moved its new number.
func (sh *shard) own(rec uint32, r *record) {
	if r.head&headFull == 0 {
		return
	}
	for _, six := range [2]bool{false, true} {
		var l list
		l.open(sh, rec, r, six)
		if l.form == formBlock {
			*owner(l.buf) = l.owner(0)
		}
		if l.indexForm == indexBlock {
			*owner(sh.arena.block(l.indexHandle(), l.indexClass)) = l.owner(ownerIndex)
		}
	}
}

func (sh *shard) recordHash(rec uint32) uint64 { return sh.keys.infoHash(&sh.record(rec).hash) }
