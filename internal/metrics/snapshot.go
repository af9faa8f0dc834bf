package metrics

import "time"

// A Count is one value of a closed set of labels.
type Count struct {
	Label string
	Value uint64
}

// The labels that requests are counted by.
const (
	KindAnnounce = "announce"
	KindScrape   = "scrape"
	FamilyIPv4   = "ipv4"
	FamilyIPv6   = "ipv6"
	// OutcomeOK is the outcome of a request that did not fail; the others are
	// the labels of the failures.
	OutcomeOK = "ok"
)

// Requests are requests to the tracker that share their labels. The same
// labels may come from several workers.
type Requests struct {
	Worker  int    // from 0
	Kind    string // KindAnnounce or KindScrape
	Family  string // FamilyIPv4 or FamilyIPv6
	Outcome string // OutcomeOK or a failure's label
	Value   uint64
}

// ByFamily are values of one label, apart for the two families.
type ByFamily struct {
	Label      string
	IPv4, IPv6 uint64
}

// Histogram is a distribution of durations.
type Histogram struct {
	// Bounds are the upper bounds, ascending, and Buckets how many
	// observations lie up to each and above the one before; one bucket more is
	// for those above all bounds.
	Bounds  []time.Duration
	Buckets []uint64
	Sum     time.Duration
}

// Snapshot is all that is measured at one time. Counters count from the start
// of the process.
type Snapshot struct {
	State   string // one of States
	Tracker Tracker
	Server  Server
	Store   Store
	Access  Access
	Saved   *Saved // nil where no swarms are kept on the disk
	// Certificates are those that TLS listeners present.
	Certificates []Certificate
}

// States is the closed set of what /health may say.
func States() []string { return []string{"starting", "ready", "stopping", "stuck"} }

// Tracker is what was asked and answered.
type Tracker struct {
	Requests         []Requests
	Announces        []ByFamily // that succeeded, by event
	ScrapedTorrents  uint64
	PeersHandedOut   uint64
	UnreachablePorts uint64
	Latency          Histogram
}

// Server is what the transport does.
type Server struct {
	Requests          []ByFamily // by what became of them
	BytesIn, BytesOut uint64
	Accepted          ByFamily // its Label is not used
	Open              []Count  // open connections by state
	Limits            []Count  // most connections by what is limited; 0 is no limit
	Ended             []Count  // closed connections by reason
	Refused           []Count  // connections and requests over a limit, by the limit
	Handshakes        []Count  // TLS handshakes by result
	Resumed           uint64   // good handshakes by a session ticket
	AcceptPauses      uint64
	AcceptErrors      uint64
	// LoopStall is for how long each event loop has been away beyond what a
	// healthy one ever is, so 0 in one that is well. LoopBusy is the share of
	// its time that each is awake, 0 to 1.
	LoopStall []time.Duration
	LoopBusy  []float64
	// OpenByWorker are the connections that wait in each event loop. What
	// goroutines carry is in Open only.
	OpenByWorker []uint64
}

// Store is what the swarms hold.
type Store struct {
	Torrents int // with at least one peer
	// TorrentsIPv4 and TorrentsIPv6 are those with at least one peer of the
	// family, for the aquatic namespace.
	TorrentsIPv4, TorrentsIPv6 int
	Remembered                 int // download counts of torrents without peers
	PeersIPv4, PeersIPv6       int
	Seeders, Leechers          Families
	MemoryBytes                int64
	MemoryLimitBytes           int64 // 0 is no limit
	Passes                     uint64
	// SinceSweep is the time since a slice of the sweep last ended, and
	// SweepInterval that from the begin of one pass to that of the next.
	SinceSweep, SweepInterval time.Duration
	Removed                   []Count // peers that the store removed, by reason
	Refused                   uint64  // announces refused because the store was full
	Forgotten                 uint64  // download counts that went for lack of memory
}

// Families are numbers for the two address families.
type Families struct{ IPv4, IPv6 int }

// Saved is the file that the swarms are kept in.
type Saved struct {
	Written time.Time // when the file on the disk was; zero where there is none
	Bytes   int64     // its size
	Took    time.Duration
	Good    bool    // the last write, if there was one, did not fail
	Writes  []Count // by result
}

// Access is the access list.
type Access struct {
	Mode           string // allow, deny or off
	Entries        int
	LastReload     time.Time // of the list in use; zero where there is none
	LastReloadGood bool      // false: the last file was refused and the old list stays
	Reloads        []Count   // by result
}

// Certificate is one that a TLS listener presents.
type Certificate struct {
	Name   string // its file, or its first domain
	Expiry time.Time
}
