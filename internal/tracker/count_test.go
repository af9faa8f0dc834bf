package tracker

import (
	"testing"
	"time"

	"spate/internal/bittorrent"
)

// BenchmarkCount is what counting adds to an announce (ADR 0060).
func BenchmarkCount(b *testing.B) {
	a := bittorrent.Announce{Port: 6881, Event: bittorrent.EventStarted}
	r := bittorrent.AnnounceReply{Peers: make([]byte, 50*bittorrent.CompactLen4)}
	b.Run("an announce", func(b *testing.B) {
		c := new(counters)
		for b.Loop() {
			c.announced(FamilyIPv4, &a, &r)
		}
	})
	b.Run("latency, 1 in 64", func(b *testing.B) {
		c, start := new(counters), time.Now()
		for b.Loop() {
			if c.sampleNext() {
				at := time.Since(start)
				c.latency.observe(time.Since(start) - at)
			}
		}
	})
	b.Run("latency, each", func(b *testing.B) {
		c, start := new(counters), time.Now()
		for b.Loop() {
			at := time.Since(start)
			c.latency.observe(time.Since(start) - at)
		}
	})
}
