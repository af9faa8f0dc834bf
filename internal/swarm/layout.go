package swarm

import (
	"unsafe"

	"spate/internal/bittorrent"
)

// Everything lies in pages of 4 KiB, addressed by a uint32. A shard's records
// and blocks lie in dense slabs of such pages: the last one fills a hole, so a
// slab wastes less than a page whatever happened before.
//
// A record, 64 bytes, one cache line:
//
//	 0  20  info hash
//	20   4  downloaded
//	24   8  head, little-endian: bit 63 says whether the record is full;
//	        small: bits 0-27 the seven counts of the IPv4 list, four bits each,
//	               bits 28-55 those of the IPv6 list
//	        full:  bits 0-13 the IPv4 list's form (2 bits), block class (5),
//	               index form (2), index class (5); bits 28-41 the IPv6 list's
//	32  32  area
//	        small: up to four IPv4 peers, or up to one of each family:
//	               IPv4 peer i at 6i, its mark at 30-2i; the IPv6 peer at 6, its
//	               mark at 24
//	        full:  for each family 16 bytes: block or big id (4), index block
//	               (4), the seven counts (1 each; not for a big list), unused (1)
//
// A list is one family's peers of one torrent, in compact form and in parts, so
// that a sample is a few block copies; beside each peer lies its mark:
//
//	part 0  public seeders
//	part 1  private seeders (private, shared, loopback or link-local address)
//	part 2  private leechers
//	part 3  public leechers
//	part 4  peers on ports 0 and 1, never handed out
//
// A mark, 16 bits: bits 0-12 the tick of the last announce, 13 paused,
// 14 completed, 15 seeder.
//
// A block of a list, in the size class that fits: owner (4), peers, marks, which
// begin at a multiple of 4 (see list.renew). The owner is the record's number times four, plus 1 for IPv6, plus 2 for an index.
//
// A big list, of more peers than the largest class holds, has whole pages
// instead: 512 IPv4 peers (3072 bytes) and their marks (1024), or 204 IPv6 peers
// (3672) and their marks (408). Its counts and where its pages are lie in a big, one of
// the few Go structures: one for 256 IPv4 or 103 IPv6 peers at the least.
//
// An index of a list of more than 32 peers, and that of a shard's records, is an
// open-addressing table of slots with linear probing and backward-shift deletion.
// A slot, 32 bits: 0 is empty; bits 0-23 the position plus 1, bits 24-31 a tag
// from the hash. Up to 447 peers it is a block: owner (4), slots. Above, it is
// extendible: whole pages, chosen by the hash's first bits, that split and merge
// one at a time: count (2), depth (2), unused (12), 1020 slots.
//
// A remembered download count, 28 bytes, 146 in a page: info hash (20),
// downloaded (4), tick at which it was remembered, modulo 2^32 (4).
const (
	pageSize = 4096

	recordsPerPage = pageSize / recordSize
	recordSize     = 64
	areaSize       = 32
	headFull       = uint64(1) << 63
	headShift      = 28 // between the families' bits of a head

	inlineMax4    = 4 // IPv4 peers in a small record without an IPv6 one
	inlineMixed   = 1 // peers of each family where both are in a small record
	inlineMark4   = areaSize - 2
	inlineWire6   = bittorrent.CompactLen4
	inlineMark6   = inlineWire6 + bittorrent.CompactLen6
	listHeadSize  = 16
	blockHeadSize = 4

	segment4 = pageSize / (bittorrent.CompactLen4 + markSize) // 512
	segment6 = pageSize / (bittorrent.CompactLen6 + markSize) // 204

	memorySize     = 28
	memoryPerPage  = pageSize / memorySize
	maxSlabRecords = posMask - 1
)

// Parts of a list and the other two counts.
const (
	partSeeders = iota
	partPrivateSeeders
	partPrivateLeechers
	partLeechers
	partMute
	parts                       // how many parts there are
	countMuteSeeders = iota - 1 // of part 4, those with left=0
	countPaused                 // of all parts
	counts
)

// Bits of a mark.
const (
	markSize      = 2
	markTicks     = 1<<13 - 1
	ageShift      = 32 - 13 // puts ticks at the upper end of 32 bits, where differences are ages
	markPaused    = 1 << 13
	markCompleted = 1 << 14
	markSeeder    = 1 << 15
)

// Forms of a list in a full record.
const (
	formNone = iota
	formBlock
	formBig
	formInline // in a small record; never written
)

// Forms of a list's index.
const (
	indexNone = iota
	indexBlock
	indexPages
)

// Kinds in a block's owner.
const (
	ownerSix   = 1
	ownerIndex = 2
	ownerBits  = 2
)

// A class is one size of blocks.
type class struct {
	size    uint32 // bytes, a multiple of 4
	perPage uint32 // how many fit into a page, at most 128
	peers   [2]uint32
	slots   uint32 // as an index
}

// newClass returns the class of which perPage fit into a page.
func newClass(perPage uint32) class {
	size := pageSize / perPage &^ 3
	room := size - blockHeadSize
	c := class{size: size, perPage: perPage, slots: room / 4}
	for i, width := range [2]uint32{bittorrent.CompactLen4, bittorrent.CompactLen6} {
		n := room / (width + markSize)
		if blockMarks(width, n)+n*markSize > size {
			n--
		}
		c.peers[i] = n
	}
	return c
}

// blockMarks returns where the marks of n peers of a width are in a block.
func blockMarks(width, n uint32) uint32 { return blockHeadSize + (width*n+3)&^3 }

const classCount = 19

// classes are the block sizes: each holds about a quarter more than the one
// before, from 5 IPv4 or 2 IPv6 peers to 255 or 102.
var classes = [classCount]class{
	newClass(80), newClass(64), newClass(52), newClass(44), newClass(36), newClass(30), newClass(25),
	newClass(21), newClass(18), newClass(15), newClass(12), newClass(10), newClass(8), newClass(7),
	newClass(6), newClass(5), newClass(4), newClass(3), newClass(2),
}

// A page is the unit of memory.
type page [pageSize]byte

// words returns the page as the 1024 words of an index.
func (p *page) words() *[pageSize / 4]uint32 { return (*[pageSize / 4]uint32)(unsafe.Pointer(p)) }

// A record is a torrent, as the table above says.
type record struct {
	hash       bittorrent.InfoHash
	downloaded uint32
	head       uint64
	area       [areaSize]byte
}

// records returns the page as records.
func (p *page) records() *[recordsPerPage]record {
	return (*[recordsPerPage]record)(unsafe.Pointer(p))
}

// A memory is a remembered download count, as the table above says.
type memory struct {
	hash       bittorrent.InfoHash
	downloaded uint32
	tick       uint32
}

// memories returns the page as remembered download counts.
func (p *page) memories() *[memoryPerPage]memory {
	return (*[memoryPerPage]memory)(unsafe.Pointer(p))
}
