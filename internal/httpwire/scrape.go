package httpwire

import (
	"bytes"
	"slices"

	"spate/internal/bittorrent"
)

// ParseScrape parses the query of a scrape to r: its first limit different info
// hashes, in ascending order. What follows them is not looked at. limit is at
// least 1. The failure is that of the first bad info_hash, or
// FailureScrapeEmpty where there is none at all; r then has no hashes. It keeps
// nothing of query.
func ParseScrape(query []byte, limit int, r *bittorrent.ScrapeRequest) bittorrent.Failure {
	r.InfoHashes = r.InfoHashes[:0]
	for len(query) > 0 && len(r.InfoHashes) < limit {
		var h bittorrent.InfoHash
		if rest, ok := takeFixed(query, nameInfoHash, (*[20]byte)(&h)); ok {
			r.InfoHashes = insertSorted(r.InfoHashes, &h)
			query = rest
			continue
		}
		var param []byte
		param, query = nextParam(query)
		v, ok := value(param, nameInfoHash)
		if !ok {
			continue
		}
		if f := parseInfoHash(v, &h); f != bittorrent.FailureNone {
			r.InfoHashes = r.InfoHashes[:0]
			return f
		}
		r.InfoHashes = insertSorted(r.InfoHashes, &h)
	}
	if len(r.InfoHashes) == 0 {
		return bittorrent.FailureScrapeEmpty
	}
	return bittorrent.FailureNone
}

// insertSorted adds h to hashes, which is in ascending order, unless it is there
// already. A request head of 8 KiB holds at most some 260 hashes, so moving
// those behind the new one costs less than sorting and compacting afterwards,
// and needs no scratch.
func insertSorted(hashes []bittorrent.InfoHash, h *bittorrent.InfoHash) []bittorrent.InfoHash {
	lo, hi := 0, len(hashes)
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := bytes.Compare(hashes[mid][:], h[:]); {
		case c == 0:
			return hashes
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return slices.Insert(hashes, lo, *h)
}
