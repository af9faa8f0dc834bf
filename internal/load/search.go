package load

import (
	"context"
	"time"
)

// searchPrecision ends a search: the highest rate that held and the lowest that
// did not are this close.
const searchPrecision = 0.05

// maxSearchRate ends a search whose limit nothing reaches.
const maxSearchRate = 1e9

// Step is one rate that a search has tried.
type Step struct {
	Rate     float64       `json:"requests_per_second"`
	P99      time.Duration `json:"p99_ns"`
	Answered float64       `json:"responses_per_second"`
	Faults   uint64        `json:"faults"`
	Held     bool          `json:"held"`
}

// search looks for the highest rate that keeps the p99 limit: the rate doubles
// until a step fails, then halves the gap. The report is that of the best step, each
// of which run makes.
func search(ctx context.Context, cfg Config, run func(context.Context, Config) (*Report, error)) (*Report, error) {
	step := cfg
	step.Rate.Mode = modeOpen
	step.Rate.Ramp = 0
	step.Duration = cfg.Rate.StepDuration
	if cfg.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(cfg.Duration)*time.Second)
		defer cancel()
	}
	var best *Report
	var steps []Step
	low, high := 0.0, 0.0
	rate := cfg.Rate.RequestsPerSecond
	for ctx.Err() == nil && (high == 0 || high-low > searchPrecision*high) && rate >= 1 && rate <= maxSearchRate {
		step.Rate.RequestsPerSecond = rate
		r, err := run(ctx, step)
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil && best != nil {
			break // cut short: it says nothing
		}
		held := holds(r, &cfg.Rate, rate)
		steps = append(steps, Step{
			Rate: rate, P99: time.Duration(r.Tally.All().ValueAtQuantile(99)),
			Answered: float64(r.Tally.Answered()) / r.Elapsed.Seconds(), Faults: r.Tally.Faults.Total(), Held: held,
		})
		if held {
			low = rate
			r.SearchRate = rate
			best = r
		} else {
			high = rate
			if best == nil {
				best = r
			}
		}
		rate = nextRate(low, high)
	}
	if best == nil {
		best = &Report{Tally: NewTally(), Elapsed: time.Second}
	}
	best.Searched, best.Steps = true, steps
	return best, nil
}

// nextRate returns the rate to try next: the highest that held is low, the lowest that
// did not is high, 0 where none has failed yet.
func nextRate(low, high float64) float64 {
	if high == 0 {
		return low * 2
	}
	return (low + high) / 2
}

// holds reports whether a step at the given rate kept the limit: nothing went
// wrong, what was due was answered, and in time.
func holds(r *Report, c *RateConfig, rate float64) bool {
	p99 := time.Duration(r.Tally.All().ValueAtQuantile(99))
	enough := float64(r.Tally.Answered()) >= 0.95*rate*r.Elapsed.Seconds()
	return enough && r.Tally.Faults.Total() == 0 && p99 <= time.Duration(c.P99LimitMS*float64(time.Millisecond))
}
