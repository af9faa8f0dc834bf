package swarm

import "spate/internal/bittorrent"

// Download counts of torrents without peers: a dense slab of its own, so that
// it is the first thing to go when memory is short.

// forgetPerAnnounce is how many remembered counts an announce of a new torrent
// drops at the memory limit: a page of them.
const forgetPerAnnounce = memoryPerPage

// memory returns a remembered count by its number.
func (sh *shard) memory(i uint32) *memory {
	return &sh.arena.page(sh.memories[i/memoryPerPage]).memories()[i%memoryPerPage]
}

func (sh *shard) memoryHash(i uint32) uint64 { return sh.keys.infoHash(&sh.memory(i).hash) }

// findMemory returns what is remembered of a torrent.
func (sh *shard) findMemory(hash *bittorrent.InfoHash, h uint64) (i uint32, m *memory) {
	s := sh.memoryIndex.slots(sh.arena, h)
	if s == nil {
		return 0, nil
	}
	tag := tagOf(h)
	for j := home(h, len(s)); s[j] != 0; j = next(j, len(s)) {
		if s[j]&tagMask == tag {
			i := s[j]&posMask - 1
			if m := sh.memory(i); m.hash == *hash {
				return i, m
			}
		}
	}
	return 0, nil
}

// remember keeps the count of a torrent that goes, where it is worth it.
func (sh *shard) remember(hash *bittorrent.InfoHash, h uint64, downloaded uint32, tick uint64) {
	if downloaded == 0 || sh.store.forget == 0 || sh.remembered >= maxSlabRecords {
		return
	}
	if sh.arena.used.Load() >= sh.store.softPages {
		sh.forgotten++
		return
	}
	if sh.remembered%memoryPerPage == 0 {
		sh.memories = append(sh.memories, sh.arena.alloc())
	}
	i := sh.remembered
	sh.remembered++
	*sh.memory(i) = memory{hash: *hash, downloaded: downloaded, tick: uint32(tick)}
	sh.memoryIndex.insert(sh.arena, h, i, sh.memoryHash)
}

// recall returns and drops what is remembered of a torrent that comes back.
func (sh *shard) recall(hash *bittorrent.InfoHash, h uint64) (downloaded uint32) {
	i, m := sh.findMemory(hash, h)
	if m == nil {
		return 0
	}
	downloaded = m.downloaded
	sh.forget(i)
	return downloaded
}

// forget drops a remembered count. The last one takes its place.
func (sh *shard) forget(i uint32) {
	sh.memoryIndex.remove(sh.arena, sh.memoryHash(i), i, sh.memoryHash)
	sh.remembered--
	last := sh.remembered
	if last != i {
		sh.memoryIndex.move(sh.arena, sh.memoryHash(last), last, i)
		*sh.memory(i) = *sh.memory(last)
	}
	if last%memoryPerPage == 0 {
		sh.arena.release(sh.memories[last/memoryPerPage])
		sh.memories = shrink(sh.memories, int(last/memoryPerPage))
	}
}

// forgetSome drops up to n remembered counts for want of memory.
func (sh *shard) forgetSome(n int) {
	for range min(n, int(sh.remembered)) {
		sh.forget(sh.remembered - 1)
		sh.forgotten++
	}
}
