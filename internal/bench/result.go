package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"strings"
	"time"
)

// Result is a whole run.
type Result struct {
	Machine       Machine   `json:"machine"`
	When          time.Time `json:"when"`
	Rounds        int       `json:"rounds"`
	Seconds       int       `json:"seconds"`
	ServerCPUs    string    `json:"server_cpus"`
	GeneratorCPUs string    `json:"generator_cpus"`
	// Versions are what each tracker's programs say, or their checksums.
	Versions map[string]string `json:"versions"`
	Samples  []Sample          `json:"samples"`
}

// Build says which spate-bench this is.
type Build struct {
	Version, Commit string
}

// Machine says where a run was made.
type Machine struct {
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Kernel  string `json:"kernel"`
	Go      string `json:"go"`
	Version string `json:"version"` // of spate-bench, and so of the source it was built from
	Commit  string `json:"commit"`  // of that
}

// Sample is one tracker under one workload in one round.
type Sample struct {
	Tracker      string  `json:"tracker"`
	Workload     string  `json:"workload"`
	Round        int     `json:"round"`
	Cores        int     `json:"cores,omitempty"`          // that the server ran on
	Rate         float64 `json:"rate,omitempty"`           // requests a second; 0 is a closed loop
	CPUMicros    float64 `json:"cpu_us"`                   // server CPU time for each answered request
	PerSecond    float64 `json:"responses_per_second"`     // answered requests
	P50Micros    float64 `json:"p50_us"`                   // latency
	P99Micros    float64 `json:"p99_us"`                   // latency
	P999Micros   float64 `json:"p99_9_us"`                 // latency
	MaxMicros    float64 `json:"max_us"`                   // latency
	Failures     uint64  `json:"failures"`                 // replies with a failure reason
	Switches     float64 `json:"context_switches"`         // for each answered request
	PeakBytes    uint64  `json:"peak_bytes"`               // resident
	BytesPerPeer float64 `json:"bytes_per_peer,omitempty"` // of workloads that fill the tracker
	Points       []Point `json:"points,omitempty"`         // while it was filled
	Faults       uint64  `json:"faults"`                   // as spate-load counts them
	Saturated    bool    `json:"saturated,omitempty"`      // the generator was the limit
}

// Point is how much memory a tracker had at some time while it was filled.
type Point struct {
	Peers uint64 `json:"peers"` // announces answered, each by another peer
	Bytes uint64 `json:"bytes"` // resident
}

// line is the sample in one line of progress.
func (s *Sample) line() string {
	b := fmt.Sprintf("round %d  %-14s %-14s", s.Round+1, s.Workload, s.Tracker)
	if s.Cores > 1 {
		b += fmt.Sprintf(" %d cores", s.Cores)
	}
	if s.Rate > 0 {
		b += fmt.Sprintf(" %8.0f/s due", s.Rate)
	}
	b += fmt.Sprintf(" %8.2f µs CPU %9.0f/s  p99 %8.0f µs", s.CPUMicros, s.PerSecond, s.P99Micros)
	if s.BytesPerPeer > 0 {
		b += fmt.Sprintf("  %.1f B/peer", s.BytesPerPeer)
	}
	if s.Saturated {
		b += "  generator saturated"
	}
	if s.Faults > 0 {
		b += fmt.Sprintf("  %d faults", s.Faults)
	}
	return b
}

func thisMachine(b Build) Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), CPU: runtime.GOARCH, Version: b.Version, Commit: b.Commit}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// Write writes the result as JSON, for Read and for other programs.
func (r *Result) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}

// Read reads what Write wrote. Several files are read as one result: those of a
// run in pieces, whose machine has to be the same.
func Read(paths ...string) (*Result, error) {
	var whole *Result
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var r Result
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("%s: no result of spate-bench: %w", path, err)
		}
		if len(r.Samples) == 0 {
			return nil, fmt.Errorf("%s: no result of spate-bench: it has no samples", path)
		}
		if whole == nil {
			whole = &r
			continue
		}
		if r.Machine != whole.Machine {
			return nil, fmt.Errorf("%s: made on another machine, kernel or commit than %s: they are no pieces of one run", path, paths[0])
		}
		if whole.Versions == nil {
			whole.Versions = map[string]string{}
		}
		maps.Copy(whole.Versions, r.Versions)
		whole.Samples = append(whole.Samples, r.Samples...)
	}
	return whole, nil
}

// series are the samples of one tracker under one workload at one rate on one
// number of cores, in order of rounds.
type series struct {
	tracker, workload string
	rate              float64
	cores             int
	samples           []Sample
}

// group sorts samples into series, in the order in which they came first.
func (r *Result) group() []*series {
	var all []*series
	find := func(s *Sample) *series {
		for _, g := range all {
			if g.tracker == s.Tracker && g.workload == s.Workload && g.rate == s.Rate && g.cores == s.Cores {
				return g
			}
		}
		g := &series{tracker: s.Tracker, workload: s.Workload, rate: s.Rate, cores: s.Cores}
		all = append(all, g)
		return g
	}
	for i := range r.Samples {
		g := find(&r.Samples[i])
		g.samples = append(g.samples, r.Samples[i])
	}
	return all
}

// column returns one figure of each sample.
func (g *series) column(figure func(*Sample) float64) []float64 {
	out := make([]float64, len(g.samples))
	for i := range g.samples {
		out[i] = figure(&g.samples[i])
	}
	return out
}

func cpuMicros(s *Sample) float64 { return s.CPUMicros }

// maxPoints is how many points a result keeps.
const maxPoints = 100

// thin keeps as many points as a picture needs, the first and the last included.
func thin(points []Point) []Point {
	if len(points) <= maxPoints {
		return points
	}
	kept := make([]Point, maxPoints)
	for i := range kept {
		kept[i] = points[i*(len(points)-1)/(maxPoints-1)]
	}
	return kept
}
