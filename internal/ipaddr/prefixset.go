package ipaddr

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
)

// PrefixSet is an immutable set of address prefixes with a fast Contains, for
// trusted proxies and for sources exempt from limits. A nil set is empty. It is
// safe for concurrent use.
type PrefixSet struct {
	v4 []range4 // sorted and disjoint, as v6 is
	v6 []range6
}

type range4 struct{ first, last uint32 }

type range6 struct{ first, last uint128 }

// uint128 is an IPv6 address as a number.
type uint128 struct{ hi, lo uint64 }

func (a uint128) compare(b uint128) int {
	if a.hi != b.hi {
		return cmp.Compare(a.hi, b.hi)
	}
	return cmp.Compare(a.lo, b.lo)
}

// NewPrefixSet returns the set of the addresses in prefixes. A prefix of
// IPv4-mapped IPv6 stands for the IPv4 prefix in it; bits beyond a prefix's
// length and overlaps do no harm. The error names an invalid prefix.
func NewPrefixSet(prefixes []netip.Prefix) (*PrefixSet, error) {
	s := &PrefixSet{}
	for _, p := range prefixes {
		if !p.IsValid() {
			return nil, fmt.Errorf("invalid address prefix %v", p)
		}
		addr, bits := p.Addr(), p.Bits()
		if addr.Is4In6() && bits >= 96 {
			addr, bits = addr.Unmap(), bits-96
		}
		if addr.Is4() {
			host := uint32(1<<(32-bits) - 1)
			first := number4(addr) &^ host
			s.v4 = append(s.v4, range4{first, first | host})
			continue
		}
		host := uint128{^uint64(0), ^uint64(0)}
		if bits < 64 {
			host.hi >>= bits
		} else {
			host = uint128{0, uint64(1)<<(128-bits) - 1} // a shift by 64 gives 0, less 1 is all ones
		}
		first := number6(addr)
		first.hi, first.lo = first.hi&^host.hi, first.lo&^host.lo
		s.v6 = append(s.v6, range6{first, uint128{first.hi | host.hi, first.lo | host.lo}})
	}
	s.merge()
	return s, nil
}

// merge sorts the ranges and joins those that overlap, so that the range with
// the last first address up to some address decides about it. Prefixes overlap
// only by containing one another.
func (s *PrefixSet) merge() {
	slices.SortFunc(s.v4, func(a, b range4) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(b.last, a.last))
	})
	slices.SortFunc(s.v6, func(a, b range6) int {
		return cmp.Or(a.first.compare(b.first), b.last.compare(a.last))
	})
	s.v4 = dropContained(s.v4, func(outer, inner range4) bool { return inner.first <= outer.last })
	s.v6 = dropContained(s.v6, func(outer, inner range6) bool { return inner.first.compare(outer.last) <= 0 })
}

// dropContained keeps the ranges that no earlier one contains.
func dropContained[R any](ranges []R, contains func(outer, inner R) bool) []R {
	kept := ranges[:0]
	for _, r := range ranges {
		if len(kept) == 0 || !contains(kept[len(kept)-1], r) {
			kept = append(kept, r)
		}
	}
	return slices.Clip(kept)
}

// Contains reports whether addr lies in the set, IPv4-mapped addresses as IPv4
// and without regard to a zone. The zero Addr is in no set.
func (s *PrefixSet) Contains(addr netip.Addr) bool {
	if s == nil {
		return false
	}
	if addr.Is4() || addr.Is4In6() {
		n := number4(addr)
		lo, hi := 0, len(s.v4) // the first range that starts beyond n lies in [lo, hi]
		for lo < hi {
			if mid := (lo + hi) / 2; s.v4[mid].first <= n {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return lo > 0 && n <= s.v4[lo-1].last
	}
	if !addr.Is6() {
		return false
	}
	n := number6(addr)
	lo, hi := 0, len(s.v6)
	for lo < hi {
		if mid := (lo + hi) / 2; s.v6[mid].first.compare(n) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo > 0 && n.compare(s.v6[lo-1].last) <= 0
}

// number4 returns an IPv4 or IPv4-mapped address as a number.
func number4(addr netip.Addr) uint32 {
	b := addr.As4()
	return binary.BigEndian.Uint32(b[:])
}

// number6 returns an IPv6 address as a number.
func number6(addr netip.Addr) uint128 {
	b := addr.As16()
	return uint128{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// LocalPrefixes returns the ranges that nobody on the internet can send from:
// loopback, private (RFC 1918), link-local and unique-local (RFC 4193).
func LocalPrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("127.0.0.0/8"),
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("172.16.0.0/12"),
		netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("fc00::/7"),
		netip.MustParsePrefix("fe80::/10"),
	}
}
