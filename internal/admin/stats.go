package admin

import (
	"encoding/json"
	"net/http"
	"runtime"
	"time"
)

// Count is one value of a closed set of labels.
type Count struct {
	Label string `json:"label"`
	Value uint64 `json:"value"`
}

// Families are values for the two address families.
type Families struct {
	IPv4 uint64 `json:"ipv4"`
	IPv6 uint64 `json:"ipv6"`
}

func (f Families) sum() uint64 { return f.IPv4 + f.IPv6 }

// Stats are the tracker's numbers, as /stats.json writes them. Counters count
// from the start of the process. Names are never changed or given another
// meaning; new ones may come.
type Stats struct {
	Build       Build       `json:"build"`
	Started     time.Time   `json:"started"`
	Announces   Requests    `json:"announces"`
	Scrapes     Requests    `json:"scrapes"`
	Events      []Count     `json:"events"`   // announces that succeeded
	Failures    []Count     `json:"failures"` // refused announces and scrapes, by reason
	PeersSent   uint64      `json:"peers_sent"`
	Latency     Latency     `json:"latency"`
	Store       Store       `json:"store"`
	Connections Connections `json:"connections"`
	Access      *Access     `json:"access_list,omitempty"` // nil: all torrents are served
	Snapshot    *Snapshot   `json:"snapshot,omitempty"`    // nil: swarms are not kept over a restart
	// Announce URLs for torrents, of all listeners.
	URLs         []string      `json:"urls,omitempty"`
	Certificates []Certificate `json:"certificates,omitempty"`

	// What follows is filled in by the listener itself.
	State         string    `json:"state"`
	Problems      []string  `json:"problems,omitempty"`
	Time          time.Time `json:"time"`
	UptimeSeconds float64   `json:"uptime_seconds"`
	Process       Process   `json:"process"`
}

// Build says what runs.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
}

// Requests are those of one kind.
type Requests struct {
	Total  Families `json:"total"`
	Failed Families `json:"failed"`
}

// Latency is a histogram of a sample of the requests' handling times.
type Latency struct {
	// BoundsMicros are the buckets' upper bounds in microseconds; there is
	// one bucket more, for what is above all of them.
	BoundsMicros []float64 `json:"bounds_us"`
	Buckets      []uint64  `json:"buckets"`
}

// Store is what the swarms hold.
type Store struct {
	Torrents         int      `json:"torrents"`
	Peers            Families `json:"peers"`
	Seeders          int      `json:"seeders"`
	Leechers         int      `json:"leechers"`
	MemoryBytes      int64    `json:"memory_bytes"`
	MemoryLimitBytes int64    `json:"memory_limit_bytes"` // 0: none
	TorrentLimit     int      `json:"torrent_limit"`      // 0: none
	RefusedTorrents  uint64   `json:"refused_torrents"`   // announces of new ones when the store was full
	ExpiredPeers     uint64   `json:"expired_peers"`
}

// Connections are the transport's.
type Connections struct {
	Open          uint64   `json:"open"`
	Limit         uint64   `json:"limit"` // 0: none
	Accepted      Families `json:"accepted"`
	Closed        []Count  `json:"closed"`        // by reason
	Refused       []Count  `json:"refused"`       // connections and requests over a limit, by the limit
	AcceptPauses  uint64   `json:"accept_pauses"` // for lack of descriptors or memory
	BytesReceived uint64   `json:"bytes_received"`
	BytesSent     uint64   `json:"bytes_sent"`
}

// Access is the access list.
type Access struct {
	Mode    string    `json:"mode"`
	Entries int       `json:"entries"`
	Loaded  time.Time `json:"loaded"`
	// Stale says that the file has since been refused.
	Stale bool `json:"stale"`
}

// Snapshot is the file that the swarms are kept in over a restart.
type Snapshot struct {
	// Written is when the one on the disk was, nil where there is none yet.
	Written *time.Time `json:"written,omitempty"`
	Bytes   int64      `json:"bytes"`
	// Failed says that the last write failed, so that the one before it stays.
	Failed bool `json:"failed"`
}

// Certificate is one that a TLS listener presents.
type Certificate struct {
	Name   string    `json:"name"`
	Expiry time.Time `json:"expiry"`
}

// Process is what the operating system and Go say of the process.
type Process struct {
	ResidentBytes int64  `json:"resident_bytes,omitempty"` // 0: unknown
	Goroutines    int    `json:"goroutines"`
	GoVersion     string `json:"go_version"`
}

// stats asks the source and adds what is not the tracker's.
func (s *Server) stats() Stats {
	st := s.src.Stats()
	h := s.health()
	st.State, st.Problems = h.State.String(), h.Problems
	now := time.Now()
	st.Time = now.Round(time.Millisecond)
	if !st.Started.IsZero() {
		st.UptimeSeconds = now.Sub(st.Started).Seconds()
	}
	st.Process = Process{
		ResidentBytes: s.resident.bytes(),
		Goroutines:    runtime.NumGoroutine(),
		GoVersion:     runtime.Version(),
	}
	return st
}

func (s *Server) serveStats(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.stats())
}

func (s *Server) serveHistory(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	// Without indentation: an hour is some thousands of numbers.
	_ = json.NewEncoder(w).Encode(s.history.series()) // a client that has gone is no problem of ours
}
