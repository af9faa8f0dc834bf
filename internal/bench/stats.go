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
	mean, variance := meanVariance(samples)
	if n == 1 {
		return Interval{mean, mean, mean}
	}
	half := quantile975(len(samples)-1) * math.Sqrt(variance/n)
	return Interval{mean, mean - half, mean + half}
}

// estimateRatio returns the geometric mean of a[i]/b[i], pair by pair: what
// slows a whole round down falls out of it. Where one of them lacks rounds there are
// no pairs.
func estimateRatio(a, b []float64) Interval {
	if len(a) != len(b) {
		return estimateRatioOfRuns(a, b)
	}
	var ratios []float64
	for i := range a {
		if a[i] > 0 && b[i] > 0 {
			ratios = append(ratios, math.Log(a[i]/b[i]))
		}
	}
	if len(ratios) == 0 {
		return Interval{}
	}
	e := estimate(ratios)
	return Interval{math.Exp(e.Mean), math.Exp(e.Low), math.Exp(e.High)}
}

// estimateRatioOfRuns returns the ratio of the geometric means of two sets of
// samples that have nothing to do with each other, as of two runs, with Welch's
// interval: the rounds of one run are no pairs of the other's.
func estimateRatioOfRuns(a, b []float64) Interval {
	la, lb := logs(a), logs(b)
	if len(la) == 0 || len(lb) == 0 {
		return Interval{}
	}
	ma, va := meanVariance(la)
	mb, vb := meanVariance(lb)
	mean := ma - mb
	if len(la) < 2 || len(lb) < 2 {
		return Interval{math.Exp(mean), math.Exp(mean), math.Exp(mean)}
	}
	sa, sb := va/float64(len(la)), vb/float64(len(lb))
	half := 0.0
	if sa+sb > 0 {
		// Satterthwaite's degrees of freedom, rounded down, which is on the safe side.
		df := (sa + sb) * (sa + sb) / (sa*sa/float64(len(la)-1) + sb*sb/float64(len(lb)-1))
		half = quantile975(int(df)) * math.Sqrt(sa+sb)
	}
	return Interval{math.Exp(mean), math.Exp(mean - half), math.Exp(mean + half)}
}

// logs returns the logarithms of what is above 0.
func logs(samples []float64) []float64 {
	var out []float64
	for _, x := range samples {
		if x > 0 {
			out = append(out, math.Log(x))
		}
	}
	return out
}

// meanVariance returns the mean of samples and their variance, which is 0 for one.
func meanVariance(samples []float64) (mean, variance float64) {
	n := float64(len(samples))
	for _, x := range samples {
		mean += x / n
	}
	for _, x := range samples {
		variance += (x - mean) * (x - mean) / max(1, n-1)
	}
	return mean, variance
}

// quantile975 returns the 97.5 % quantile of Student's t distribution.
func quantile975(df int) float64 {
	if df = max(1, df); df <= len(t975) {
		return t975[df-1]
	}
	return 1.96
}

// median returns the middle of samples, 0 for none.
func median(samples []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
