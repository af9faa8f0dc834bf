package admin

import (
	"sync"
	"time"
)

const (
	// historyStep is the time between two points of the history.
	historyStep = 5 * time.Second
	// historyPoints is how many are kept: an hour, in some 50 KiB.
	historyPoints = int(time.Hour / historyStep)
)

// A point is the tracker at one time, as the dashboard draws it. Rates are
// per second, since the point before.
type point struct {
	time                        time.Time
	announces, scrapes, refused float64
	peers, torrents, open       float64
	resident                    float64 // bytes
	p50, p99                    float64 // handling time in microseconds; 0: nothing was timed
}

// history keeps the last hour, so that a dashboard that is opened after
// something happened still shows it.
type history struct {
	mu     sync.Mutex // guards all
	ring   [historyPoints]point
	next   int // where the next point goes
	filled int
	last   Stats // of the newest point
	lastAt time.Time
}

// add takes a point. The first one has nothing to take rates from and is not
// kept.
func (h *history) add(now time.Time, s Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, elapsed := h.last, now.Sub(h.lastAt).Seconds()
	first := h.lastAt.IsZero()
	h.last, h.lastAt = s, now
	if first || elapsed <= 0 {
		return
	}
	rate := func(now, before uint64) float64 { return float64(now-before) / elapsed }
	p50, p99 := quantiles(&s.Latency, &before.Latency)
	h.ring[h.next] = point{
		time:      now,
		announces: rate(s.Announces.Total.sum(), before.Announces.Total.sum()),
		scrapes:   rate(s.Scrapes.Total.sum(), before.Scrapes.Total.sum()),
		refused: rate(s.Announces.Failed.sum()+s.Scrapes.Failed.sum(),
			before.Announces.Failed.sum()+before.Scrapes.Failed.sum()),
		peers:    float64(s.Store.Peers.sum()),
		torrents: float64(s.Store.Torrents),
		open:     float64(s.Connections.Open),
		resident: float64(s.Process.ResidentBytes),
		p50:      p50,
		p99:      p99,
	}
	h.next = (h.next + 1) % historyPoints
	h.filled = min(h.filled+1, historyPoints)
}

// Series are the points of the history by quantity, oldest first, as
// /history.json writes them.
type Series struct {
	StepSeconds float64   `json:"step_seconds"`
	Time        []float64 `json:"time"` // Unix time in seconds
	Announces   []float64 `json:"announces_per_second"`
	Scrapes     []float64 `json:"scrapes_per_second"`
	Refused     []float64 `json:"failures_per_second"`
	Peers       []float64 `json:"peers"`
	Torrents    []float64 `json:"torrents"`
	Open        []float64 `json:"connections"`
	Resident    []float64 `json:"resident_bytes"`
	P50         []float64 `json:"latency_p50_us"`
	P99         []float64 `json:"latency_p99_us"`
}

func (h *history) series() Series {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := func(value func(*point) float64) []float64 {
		values := make([]float64, h.filled)
		for i := range values {
			at := (h.next - h.filled + i + historyPoints) % historyPoints
			values[i] = value(&h.ring[at])
		}
		return values
	}
	return Series{
		StepSeconds: historyStep.Seconds(),
		Time:        list(func(p *point) float64 { return float64(p.time.UnixMilli()) / 1000 }),
		Announces:   list(func(p *point) float64 { return p.announces }),
		Scrapes:     list(func(p *point) float64 { return p.scrapes }),
		Refused:     list(func(p *point) float64 { return p.refused }),
		Peers:       list(func(p *point) float64 { return p.peers }),
		Torrents:    list(func(p *point) float64 { return p.torrents }),
		Open:        list(func(p *point) float64 { return p.open }),
		Resident:    list(func(p *point) float64 { return p.resident }),
		P50:         list(func(p *point) float64 { return p.p50 }),
		P99:         list(func(p *point) float64 { return p.p99 }),
	}
}

// quantiles returns the bounds in microseconds below which half, and 99 %, of
// what was observed between two readings lie. Above the highest bound that
// bound is all that is known.
func quantiles(now, before *Latency) (p50, p99 float64) {
	deltas := make([]uint64, len(now.Buckets))
	var total uint64
	for i, n := range now.Buckets {
		deltas[i] = n
		if i < len(before.Buckets) {
			deltas[i] -= before.Buckets[i]
		}
		total += deltas[i]
	}
	return quantile(now.BoundsMicros, deltas, total, 50), quantile(now.BoundsMicros, deltas, total, 99)
}

func quantile(bounds []float64, buckets []uint64, total, percent uint64) float64 {
	if total == 0 || len(bounds) == 0 {
		return 0
	}
	var sum uint64
	for i, n := range buckets {
		sum += n
		if sum*100 >= total*percent {
			return bounds[min(i, len(bounds)-1)]
		}
	}
	return bounds[len(bounds)-1]
}
