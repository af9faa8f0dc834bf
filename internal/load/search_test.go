package load

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// model answers a step as a tracker would that keeps up with limit requests a second,
// and of which beyond says what goes wrong at higher rates.
func model(limit float64, beyond func(t *Tally, due int64)) func(context.Context, Config) (*Report, error) {
	return func(_ context.Context, step Config) (*Report, error) {
		r := &Report{Elapsed: time.Duration(step.Duration) * time.Second, Tally: NewTally()}
		due := int64(math.Ceil(step.Rate.RequestsPerSecond * r.Elapsed.Seconds()))
		if step.Rate.RequestsPerSecond > limit {
			beyond(r.Tally, due)
		} else {
			answer(r.Tally, due, time.Millisecond)
		}
		return r, nil
	}
}

func answer(t *Tally, n int64, latency time.Duration) {
	t.Replies[KindAnnounce] += uint64(n)
	_ = t.Latency[KindAnnounce].RecordValues(int64(latency), n)
}

func TestSearchClosesInOnTheHighestRateThatHolds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Duration = 0
	cfg.Rate = RateConfig{Mode: modeSearch, RequestsPerSecond: 100, P99LimitMS: 10, StepDuration: 2}
	for name, beyond := range map[string]func(*Tally, int64){
		"slow":       func(t *Tally, due int64) { answer(t, due, 11*time.Millisecond) },
		"unanswered": func(t *Tally, due int64) { answer(t, due/2, time.Millisecond) },
		"wrong":      func(t *Tally, due int64) { answer(t, due, time.Millisecond); t.Faults[FaultCounts]++ },
	} {
		for _, limit := range []float64{3, 90, 100, 777, 123456} {
			r, err := search(t.Context(), cfg, model(limit, beyond))
			if err != nil {
				t.Fatal(err)
			}
			if r.SearchRate > limit || r.SearchRate < limit*(1-searchPrecision) {
				t.Errorf("%s beyond %v/s: search rate is %v, want it within %v below", name, limit, r.SearchRate, searchPrecision)
			}
			if got := float64(r.Tally.Answered()) / r.Elapsed.Seconds(); math.Abs(got-r.SearchRate) > 1 {
				t.Errorf("%s beyond %v/s: the report is of a step with %v replies a second, want the best one's, %v", name, limit, got, r.SearchRate)
			}
			if len(r.Steps) > 40 {
				t.Errorf("%s beyond %v/s: took %d steps", name, limit, len(r.Steps))
			}
		}
	}
}

func TestSearchSaysWhenNoRateHolds(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Duration = 0
	cfg.Rate = RateConfig{Mode: modeSearch, RequestsPerSecond: 100, P99LimitMS: 10, StepDuration: 2}
	r, err := search(t.Context(), cfg, model(0, func(*Tally, int64) {}))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Searched || r.SearchRate != 0 || len(r.Steps) == 0 {
		t.Errorf("searched %v, rate %v, %d steps, want a search whose rate is 0", r.Searched, r.SearchRate, len(r.Steps))
	}
	broken := errors.New("broken")
	if _, err := search(t.Context(), cfg, func(context.Context, Config) (*Report, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("a step that cannot be run gives %v, want its error", err)
	}
}
