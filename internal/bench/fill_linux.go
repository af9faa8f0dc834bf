package bench

import (
	"context"
	"fmt"
	"time"

	"spate/internal/load"
)

const (
	// pointEvery is how often memory is noted while a tracker is filled.
	pointEvery = 100 * time.Millisecond
	// fillWithin is how long a tracker may go without an answer while it is filled.
	fillWithin = 30 * time.Second
)

// fill sends the workload's announces in a closed loop, until as many are
// answered as the plan asks for.
func (m *measurement) fill(s *server, cfg load.Config, empty usage) (*Sample, error) {
	ctx, cancel := context.WithCancel(m.ctx)
	defer cancel()
	cfg.Duration = 0
	cfg.Rate.Mode = "closed"
	points := []Point{{0, empty.resident}}
	pids := s.pids()
	var answered uint64
	var failed error
	lastAnswer := time.Now()
	report, err := load.Run(ctx, cfg, load.Options{Every: pointEvery, Progress: func(part *load.Report, _ time.Duration) {
		if n := part.Tally.Answered(); n > 0 {
			answered += n
			lastAnswer = time.Now()
		} else if time.Since(lastAnswer) > fillWithin {
			failed = fmt.Errorf("tracker %s under %s stopped answering after %d of %d announces; it said:\n%s", m.t.Name, m.w.Name, answered, m.w.Fill, &s.log)
			cancel()
		}
		points = append(points, Point{answered, residentOf(pids)})
		if answered >= uint64(m.w.Fill) {
			cancel()
		}
	}})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, err
	}
	sample, err := m.sample(s, report, empty)
	if err != nil {
		return nil, err
	}
	last := points[len(points)-1]
	sample.Points = thin(points)
	sample.BytesPerPeer = (float64(last.Bytes) - float64(empty.resident)) / max(1, float64(last.Peers))
	return &sample, nil
}
