package load

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what a run, or a part of it, has come to.
type Report struct {
	Elapsed    time.Duration
	Tally      *Tally
	CPU        time.Duration // the load tester's own, all workers
	Saturated  bool          // the load tester was busy all the time: its figures may be its own limit
	Searched   bool          // this is the best step of a search
	SearchRate float64       // of a search: the highest rate, in requests a second, that kept the limit; 0 if none did
	Steps      []Step        // of a search, in order
}

// percentiles are those that reports name.
var percentiles = []float64{50, 90, 99, 99.9, 99.99}

// mbit converts bytes a second to Mbit/s, with aquatic_http_load_test's Mbit of
// 2^20 bits.
const mbit = 8.0 / (1 << 20)

// WriteRates prints a part of a run as aquatic_http_load_test does, every few
// seconds.
func (r *Report) WriteRates(w io.Writer) {
	s := r.Elapsed.Seconds()
	t := r.Tally
	per := func(n uint64) float64 { return float64(n) / s }
	announces := t.Replies[KindAnnounce]
	scrapes := t.Replies[KindScrape]
	fmt.Fprintf(w, "\nRequests out: %.2f/second\n", per(t.Sent))
	fmt.Fprintf(w, "Responses in: %.2f/second\n", per(t.Answered()))
	fmt.Fprintf(w, "  - Announce responses: %.2f\n", per(announces))
	fmt.Fprintf(w, "  - Scrape responses:   %.2f\n", per(scrapes))
	fmt.Fprintf(w, "  - Failure responses:  %.2f\n", per(t.Failures))
	fmt.Fprintf(w, "Bandwidth out: %.2fMbit/s\n", per(t.BytesOut)*mbit)
	fmt.Fprintf(w, "Bandwidth in:  %.2fMbit/s\n", per(t.BytesIn)*mbit)
}

// WriteFinal prints the whole run's report.
func (r *Report) WriteFinal(w io.Writer) {
	t := r.Tally
	fmt.Fprintf(w, "\n# spate-load report\n\nTest ran for %.0f seconds.\n", r.Elapsed.Seconds())
	fmt.Fprintf(w, "Average responses per second: %.2f\n", float64(t.Answered())/r.Elapsed.Seconds())
	if r.Searched {
		r.writeSearch(w)
	}
	fmt.Fprintf(w, "Requests: %d, responses: %d (%d of them failures), connections: %d", t.Sent, t.Answered(), t.Failures, t.Opened)
	if t.Resumed > 0 {
		fmt.Fprintf(w, " (%d resumed)", t.Resumed)
	}
	fmt.Fprintln(w)
	s := r.Elapsed.Seconds()
	fmt.Fprintf(w, "Bandwidth out: %.2fMbit/s, in: %.2fMbit/s\n", float64(t.BytesOut)*mbit/s, float64(t.BytesIn)*mbit/s)
	if n := t.Replies[KindAnnounce]; n > 0 {
		fmt.Fprintf(w, "Peers per announce response: %.2f\n", float64(t.Peers)/float64(n))
	}
	fmt.Fprintf(w, "\n%-10s %10s", "latency", "count")
	for _, p := range percentiles {
		fmt.Fprintf(w, " %10s", fmt.Sprintf("p%g", p))
	}
	fmt.Fprintf(w, " %10s\n", "max")
	for k := range kindCount {
		writeLatency(w, k.String(), t.Latency[k])
	}
	if t.Late > 0 {
		fmt.Fprintf(w, "\n%d requests were sent over a millisecond after they were due, for want of a free connection or of processor time; their latency counts from when they were due.\n", t.Late)
	}
	// A few in the last milliseconds of a run are nothing.
	if t.Unsent > t.Sent/100 || t.CutAfter > time.Duration(t.All().Max()) {
		fmt.Fprintf(w, "\nWarning: %d requests were due and not sent when the run ended, and %d under way when it was interrupted, the oldest for %s. The latencies above do not have them.\n",
			t.Unsent, t.Cut, round(int64(t.CutAfter)))
	}
	if n := t.Faults.Total(); n == 0 && t.Answered() == 0 {
		fmt.Fprintf(w, "\nNo faults were seen, but no reply either.\n")
	} else if n == 0 {
		fmt.Fprintf(w, "\nNo faults.\n")
	} else {
		fmt.Fprintf(w, "\nFaults: %d\n", n)
		for f, n := range t.Faults {
			if n > 0 {
				fmt.Fprintf(w, "  - %s: %d\n", Fault(f), n)
				if example := t.Examples[f]; example != "" {
					fmt.Fprintf(w, "      the first: %s\n", example)
				}
			}
		}
	}
	if r.Saturated {
		fmt.Fprintf(w, "\nWarning: the load tester itself was busy all the time. Rates and latencies may be its limits, not the tracker's: give it more workers, or other cores.\n")
	}
}

// writeSearch prints what a search has found.
func (r *Report) writeSearch(w io.Writer) {
	for _, s := range r.Steps {
		verdict := "too much"
		if s.Held {
			verdict = "held"
		}
		fmt.Fprintf(w, "  %10.0f requests a second: p99 %s, %.0f responses a second, %d faults: %s\n", s.Rate, round(int64(s.P99)), s.Answered, s.Faults, verdict)
	}
	if r.SearchRate > 0 {
		fmt.Fprintf(w, "Highest rate within the p99 limit: %.0f requests a second; what follows is its step.\n", r.SearchRate)
	} else {
		fmt.Fprintln(w, "No rate kept the p99 limit; what follows is the first step.")
	}
}

func writeLatency(w io.Writer, name string, h *hdrhistogram.Histogram) {
	if h.TotalCount() == 0 {
		return
	}
	fmt.Fprintf(w, "%-10s %10d", name, h.TotalCount())
	for _, p := range percentiles {
		fmt.Fprintf(w, " %10s", round(h.ValueAtQuantile(p)))
	}
	fmt.Fprintf(w, " %10s\n", round(h.Max()))
}

// round shortens a latency in nanoseconds to three digits or so.
func round(ns int64) time.Duration {
	d := time.Duration(ns)
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}

// jsonReport is the machine's form of a Report. Latencies are in microseconds.
type jsonReport struct {
	ElapsedSeconds     float64                       `json:"elapsed_seconds"`
	Requests           uint64                        `json:"requests"`
	Responses          map[string]uint64             `json:"responses"`
	FailureResponses   uint64                        `json:"failure_responses"`
	ResponsesPerSecond float64                       `json:"responses_per_second"`
	Connections        uint64                        `json:"connections"`
	Peers              uint64                        `json:"peers"`
	BytesOut           uint64                        `json:"bytes_out"`
	BytesIn            uint64                        `json:"bytes_in"`
	LateRequests       uint64                        `json:"late_requests"`
	Faults             map[string]uint64             `json:"faults"`
	FaultExamples      map[string]string             `json:"fault_examples,omitempty"`
	LatencyMicros      map[string]map[string]float64 `json:"latency_us"`
	CPUSeconds         float64                       `json:"cpu_seconds"`
	Saturated          bool                          `json:"saturated"`
	ResumedConnections uint64                        `json:"resumed_connections"`
	UnsentRequests     uint64                        `json:"unsent_requests"`
	CutRequests        uint64                        `json:"cut_requests"`
	OldestCutMicros    float64                       `json:"oldest_cut_us"`
	SearchRate         *float64                      `json:"search_rate,omitempty"` // of a search; 0: none held
	SearchSteps        []Step                        `json:"search_steps,omitempty"`
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	t := r.Tally
	j := jsonReport{
		ElapsedSeconds: r.Elapsed.Seconds(), Requests: t.Sent, Responses: map[string]uint64{},
		FailureResponses: t.Failures, ResponsesPerSecond: float64(t.Answered()) / r.Elapsed.Seconds(),
		Connections: t.Opened, Peers: t.Peers, BytesOut: t.BytesOut, BytesIn: t.BytesIn, LateRequests: t.Late,
		Faults: map[string]uint64{}, FaultExamples: map[string]string{}, LatencyMicros: map[string]map[string]float64{},
		CPUSeconds: r.CPU.Seconds(), Saturated: r.Saturated,
		ResumedConnections: t.Resumed, UnsentRequests: t.Unsent, CutRequests: t.Cut,
		OldestCutMicros: float64(t.CutAfter) / float64(time.Microsecond), SearchSteps: r.Steps,
	}
	if r.Searched {
		j.SearchRate = &r.SearchRate
	}
	for k := range kindCount {
		j.Responses[k.String()] = t.Replies[k]
		if h := t.Latency[k]; h.TotalCount() > 0 {
			j.LatencyMicros[k.String()] = latencyMap(h)
		}
	}
	for f, n := range t.Faults {
		j.Faults[Fault(f).String()] = n
		if example := t.Examples[f]; example != "" {
			j.FaultExamples[Fault(f).String()] = example
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(j)
}

func latencyMap(h *hdrhistogram.Histogram) map[string]float64 {
	m := map[string]float64{"mean": h.Mean() / 1e3, "max": float64(h.Max()) / 1e3}
	for _, p := range percentiles {
		m[fmt.Sprintf("p%g", p)] = float64(h.ValueAtQuantile(p)) / 1e3
	}
	return m
}

// WriteHistogram writes the latency distribution of all kinds in the text form
// that HdrHistogram's plotters read, in milliseconds.
func (r *Report) WriteHistogram(w io.Writer) error {
	_, err := r.Tally.All().PercentilesPrint(w, 5, float64(time.Millisecond))
	return err
}
