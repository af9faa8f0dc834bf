package swarm

import (
	"errors"
	"fmt"
	"math/bits"
	"time"
)

// Limits of a Config.
const (
	// MaxPeersPerIPLimit is the largest MaxPeersPerIP. The records of one
	// address share a probe run of the peer index, which this keeps short.
	MaxPeersPerIPLimit = 256
	// MinPeerAge is the smallest MaxPeerAge.
	MinPeerAge = 10 * time.Millisecond
	// MaxShards is the largest number of shards.
	MaxShards = 1 << 14
	// MemoryLimit is how many bytes a Store holds at most, whatever MaxMemory is:
	// 64 GiB, and 1.25 GiB in a process with 32-bit addresses.
	MemoryLimit int64 = maxRegions * regionPages * pageSize
)

// Config says how a Store behaves.
type Config struct {
	// MaxPeersPerIP is how many records one IPv4 address, or one IPv6 /64, may
	// have in a torrent: 0 to MaxPeersPerIPLimit, 0 for no limit. Above it the
	// oldest record goes. Loopback, private and link-local sources are exempt.
	MaxPeersPerIP int
	// MaxPeerAge is how long a peer stays after its last announce, at least
	// MinPeerAge. A peer never goes earlier, and goes with the first complete
	// pass of Sweep that starts 1/2000 of this after it.
	MaxPeerAge time.Duration
	// DownloadedMemory is how long the download count of a torrent without
	// peers is remembered; 0 forgets it at once.
	DownloadedMemory time.Duration
	// MaxMemory is how many bytes the store may hold, 0 for MemoryLimit. Just
	// below it remembered download counts go and new torrents are refused; at
	// it a new peer of a known torrent takes the place of an older one.
	MaxMemory int64
	// MaxTorrents is how many torrents with peers there may be, 0 for no limit.
	// At it new torrents are refused. Callers on several processors may pass it
	// by as many torrents.
	MaxTorrents int
	// Shards is the number of independently locked parts, a power of two up to
	// MaxShards; 0 takes one that fits the number of processors.
	Shards int
	// Seed makes the store's hashes and samples repeatable, for tests. 0 takes
	// a random one, without which a peer could choose what collides.
	Seed uint64
}

// DefaultConfig returns what a public tracker with announces every 30 minutes
// wants: peers go after two missed announces.
func DefaultConfig() Config {
	return Config{
		MaxPeersPerIP:    64,
		MaxPeerAge:       65 * time.Minute,
		DownloadedMemory: 24 * time.Hour,
	}
}

// Validate returns all that is wrong with c in one error, or nil.
func (c *Config) Validate() error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if c.MaxPeersPerIP < 0 || c.MaxPeersPerIP > MaxPeersPerIPLimit {
		wrong("MaxPeersPerIP is %d: it needs 0 to %d", c.MaxPeersPerIP, MaxPeersPerIPLimit)
	}
	if c.MaxPeerAge < MinPeerAge {
		wrong("MaxPeerAge is %v: it needs at least %v", c.MaxPeerAge, MinPeerAge)
	}
	if c.DownloadedMemory < 0 {
		wrong("DownloadedMemory is %v: it needs 0 or more", c.DownloadedMemory)
	}
	if c.MaxMemory < 0 {
		wrong("MaxMemory is %d: it needs 0 or more bytes", c.MaxMemory)
	}
	if c.MaxTorrents < 0 {
		wrong("MaxTorrents is %d: it needs 0 or more", c.MaxTorrents)
	}
	if c.Shards < 0 || c.Shards > MaxShards || bits.OnesCount(uint(c.Shards)) > 1 {
		wrong("Shards is %d: it needs 0 or a power of two up to %d", c.Shards, MaxShards)
	}
	return errors.Join(problems...)
}

// Stats is what a Store holds and has done.
type Stats struct {
	Torrents   int // with at least one peer
	Torrents4  int // with at least one IPv4 peer
	Torrents6  int // with at least one IPv6 peer
	Remembered int // download counts of torrents without peers
	Seeders    int
	Seeders4   int // of Seeders, those with an IPv4 address
	Seeders6   int
	Leechers   int // partial seeds included
	Peers4     int // of Seeders and Leechers, those with an IPv4 address
	Peers6     int
	Memory     int64 // bytes in use; what is kept ready for reuse is not counted

	// Counters since the start.
	Passes            uint64 // complete passes of Sweep
	ExpiredPeers      uint64 // removed by age
	RefusedPeers      uint64 // removed because their torrent is not allowed any more
	ReplacedPeers     uint64 // removed for another one of the same address
	DisplacedPeers    uint64 // removed for another one of the same torrent at the memory limit
	RefusedTorrents   uint64 // announces answered with FailureFull
	ForgottenByMemory uint64 // download counts forgotten at the memory limit
	LeftOutTorrents   uint64 // that Load had no room for; one of many peers may count several times
	LeftOutPeers      uint64 // that Load had no room for, those of LeftOutTorrents among them
}
