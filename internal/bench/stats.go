package bench

import (
	"math"
	"slices"
)

// Interval is an estimate with its 95 % confidence interval. Low and High are
// equal to Mean where there is only one sample.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// t975 holds the 97.5 % quantiles of Student's t distribution for 1 to 30
// degrees of freedom; above, the normal distribution's serves.
var t975 = [...]float64{
	12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
	2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
}

// estimate returns the mean of samples and its confidence interval.
func estimate(samples []float64) Interval {
	n := float64(len(samples))
	if n == 0 {
		return Interval{}
	}
	var sum, squares float64
	for _, x := range samples {
		sum += x
	}
	mean := sum / n
	if n == 1 {
		return Interval{mean, mean, mean}
	}
	for _, x := range samples {
		squares += (x - mean) * (x - mean)
	}
	t := 1.96
	if len(samples)-1 <= len(t975) {
		t = t975[len(samples)-2]
	}
	half := t * math.Sqrt(squares/(n-1)/n)
	return Interval{mean, mean - half, mean + half}
}

// estimateRatio returns the geometric mean of a[i]/b[i], pair by pair: what
// slows a whole round down falls out of it.
func estimateRatio(a, b []float64) Interval {
	var logs []float64
	for i := range min(len(a), len(b)) {
		if a[i] > 0 && b[i] > 0 {
			logs = append(logs, math.Log(a[i]/b[i]))
		}
	}
	if len(logs) == 0 {
		return Interval{}
	}
	e := estimate(logs)
	return Interval{math.Exp(e.Mean), math.Exp(e.Low), math.Exp(e.High)}
}

// median returns the middle of samples, 0 for none.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
