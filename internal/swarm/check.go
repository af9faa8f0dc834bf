package swarm

import (
	"errors"
	"fmt"
)

// CheckInvariants looks at everything that the store holds, one shard at a time,
// and returns all that does not fit together, or nil. It holds a shard's lock
// for as long as that takes: it is for tests and for a debug page.
func (s *Store) CheckInvariants() error {
	var problems []error
	for i := range s.shards {
		sh := &s.shards[i]
		sh.lock()
		c := checker{sh: sh}
		c.check()
		sh.unlock()
		for _, p := range c.problems {
			problems = append(problems, fmt.Errorf("shard %d: %w", i, p))
		}
	}
	return errors.Join(problems...)
}

// maxProblems is how many problems of a shard are told.
const maxProblems = 10

// A checker walks over one locked shard.
type checker struct {
	sh       *shard
	problems []error

	seeders [2]int
	peers   [2]int
	lists   [2]int
	blocks  [classCount]uint32
	bigs    int
}

func (c *checker) wrong(format string, args ...any) {
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, fmt.Errorf(format, args...))
	}
}

// equal notes a difference.
func equal[T comparable](c *checker, what string, got, want T) {
	if got != want {
		c.wrong("%s: %v, should be %v", what, got, want)
	}
}

func (c *checker) check() {
	sh := c.sh
	equal(c, "record pages", len(sh.records), int(sh.n+recordsPerPage-1)/recordsPerPage)
	equal(c, "memory pages", len(sh.memories), int(sh.remembered+memoryPerPage-1)/memoryPerPage)
	for rec := range sh.n {
		c.record(rec)
	}
	for i := range sh.remembered {
		m := sh.memory(i)
		if at, _ := sh.findMemory(&m.hash, sh.memoryHash(i)); at != i {
			c.wrong("remembered count %d of %v is found at %d", i, m.hash, at)
		}
		if rec, r := sh.findRecord(&m.hash, sh.memoryHash(i)); r != nil {
			c.wrong("%v is remembered, and record %d too", m.hash, rec)
		}
	}
	c.directory("torrents", &sh.index, sh.n)
	c.directory("remembered", &sh.memoryIndex, sh.remembered)
	equal(c, "seeders", sh.seeders, c.seeders)
	equal(c, "peers", sh.peers, c.peers)
	equal(c, "torrents by family", sh.lists, c.lists)
	equal(c, "big lists", len(sh.bigs)-len(sh.freeBigs), c.bigs)
	for i := range sh.slabs {
		slab := &sh.slabs[i]
		equal(c, fmt.Sprintf("blocks of class %d", i), slab.n, c.blocks[i])
		perPage := classes[i].perPage
		equal(c, fmt.Sprintf("pages of class %d", i), len(slab.pages), int((slab.n+perPage-1)/perPage))
	}
}

func (c *checker) record(rec uint32) {
	sh := c.sh
	r := sh.record(rec)
	if at, found := sh.findRecord(&r.hash, sh.recordHash(rec)); found != r {
		c.wrong("record %d of %v is found at %d", rec, r.hash, at)
	}
	size := uint32(0)
	for _, six := range [2]bool{false, true} {
		var l list
		l.open(sh, rec, r, six)
		c.list(&l)
		size += l.size
	}
	if size == 0 || r.empty() {
		c.wrong("record %d of %v has %d peers", rec, r.hash, size)
	}
}

func (c *checker) list(l *list) {
	name := fmt.Sprintf("%v, IPv6 %v, %d peers", l.r.hash, l.six, l.size)
	c.place(name, l)
	var n [counts]uint32
	sources := map[peerKey]int{}
	for at := range l.size {
		k, mark := keyAt(l.wire(at), l.six), l.mark(at)
		part := k.part(l.six, mark&markSeeder != 0)
		equal(c, name+": part of peer "+fmt.Sprint(at), l.partOf(at), part)
		n[part]++
		if mark&markSeeder != 0 {
			c.seeders[b2u(l.six)]++
			if part == partMute {
				n[countMuteSeeders]++
			}
		}
		if mark&markPaused != 0 {
			n[countPaused]++
		}
		if found, ok := l.find(&k, l.sh.hash(&k, l.six)); !ok || found != at {
			c.wrong("%s: peer %d is found at %d, %v", name, at, found, ok)
		}
		if !k.private(l.six) {
			k.port = 0
			if l.six {
				k.lo = 0
			}
			sources[k]++
		}
	}
	equal(c, name+": counts", l.n, n)
	c.peers[b2u(l.six)] += int(l.size)
	if l.size > 0 {
		c.lists[b2u(l.six)]++
	}
	if perIP := c.sh.perIP; perIP > 0 {
		for _, n := range sources {
			if n > perIP {
				c.wrong("%s: %d peers of one source", name, n)
			}
		}
	}
}

// place checks where a list lies.
func (c *checker) place(name string, l *list) {
	switch l.form {
	case formNone:
		equal(c, name+": size", l.size, 0)
	case formBlock:
		c.blocks[l.class]++
		equal(c, name+": owner", *owner(l.buf), l.owner(0))
		if l.size == 0 || l.size > l.blockPeers(l.class) {
			c.wrong("%s: in a block of %d", name, l.blockPeers(l.class))
		}
	case formBig:
		c.bigs++
		pages := (l.size + segmentSize(l.six) - 1) / segmentSize(l.six)
		if have := uint32(len(l.big.segments)); have < pages || have > pages+1 {
			c.wrong("%s: %d pages, should be %d", name, have, pages)
		}
	}
	switch l.indexForm {
	case indexNone:
		if l.size >= indexFrom {
			c.wrong("%s: no index", name)
		}
	case indexBlock:
		c.blocks[l.indexClass]++
		block := c.sh.arena.block(l.indexHandle(), l.indexClass)
		equal(c, name+": owner of the index", *owner(block), l.owner(ownerIndex))
		equal(c, name+": slots in use", used(slots(block)), int(l.size))
	case indexPages:
		c.directory(name, &l.big.index, l.size)
	}
}

// directory checks the pages of an index that should have count positions.
func (c *checker) directory(name string, d *directory, count uint32) {
	equal(c, name+": index count", d.count, count)
	if len(d.pages) == 0 {
		return
	}
	equal(c, name+": directory", len(d.pages), 1<<d.depth)
	total := 0
	for i := 0; i < len(d.pages); {
		t := c.sh.arena.table(d.pages[i])
		span := 1 << (d.depth - t.depth())
		equal(c, name+": entry of a page", i%span, 0)
		for j := i; j < i+span; j++ {
			equal(c, name+": entries of one page", d.pages[j], d.pages[i])
		}
		equal(c, name+": slots in use of a page", used(t.slots()), t.count())
		total += t.count()
		i += span
	}
	equal(c, name+": slots in use", total, int(count))
}

// used counts the slots in use.
func used(slots []uint32) (n int) {
	for _, s := range slots {
		if s != 0 {
			n++
		}
	}
	return n
}
