package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A metric is one row of the tables of metrics: what it is called, what it
// says, and how its values are taken from a snapshot.
type metric struct {
	name   string // without namespace
	kind   prometheus.ValueType
	help   string
	labels []string
	values func(s *Snapshot, emit emitFunc)
}

// An emitFunc takes one value, with the values of the metric's labels.
type emitFunc func(value float64, labels ...string)

// A collector makes metrics from snapshots.
type collector struct {
	gather  func() Snapshot
	metrics []metric
	descs   []*prometheus.Desc // of metrics, by index
	latency *prometheus.Desc
}

func newCollector(namespace string, aquatic bool, gather func() Snapshot) *collector {
	c := &collector{gather: gather}
	add := func(namespace string, metrics []metric) {
		for _, m := range metrics {
			c.metrics = append(c.metrics, m)
			c.descs = append(c.descs, prometheus.NewDesc(prometheus.BuildFQName(namespace, "", m.name), m.help, m.labels, nil))
		}
	}
	add(namespace, trackerMetrics())
	add(namespace, httpMetrics())
	add(namespace, connectionMetrics())
	add(namespace, loopMetrics())
	add(namespace, storeMetrics())
	add(namespace, sweepMetrics())
	add(namespace, reloadMetrics())
	add(namespace, savedMetrics())
	add(namespace, stateMetrics())
	if aquatic {
		add(AquaticNamespace, aquaticMetrics())
	}
	c.latency = prometheus.NewDesc(prometheus.BuildFQName(namespace, "", "request_duration_seconds"),
		"How long requests took from their parsed head to their reply's body. Only a sample of the requests is timed.", nil, nil)
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.latency
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.gather()
	for i := range c.metrics {
		m, desc := &c.metrics[i], c.descs[i]
		m.values(&s, func(value float64, labels ...string) {
			ch <- constMetric(desc, m.kind, value, labels)
		})
	}
	ch <- constHistogram(c.latency, &s.Tracker.Latency)
}

// constMetric makes a metric, or one that reports why it cannot be made.
func constMetric(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) prometheus.Metric {
	m, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// constHistogram makes a metric of h, whose buckets Prometheus wants summed up.
func constHistogram(desc *prometheus.Desc, h *Histogram) prometheus.Metric {
	buckets := make(map[float64]uint64, len(h.Bounds))
	var count uint64
	for i, n := range h.Buckets {
		count += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i].Seconds()] = count
		}
	}
	m, err := prometheus.NewConstHistogram(desc, count, h.Sum.Seconds(), buckets)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// The kinds of metrics, by shorter names.
const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// one makes the values of a metric without labels.
func one[N int | int64 | uint64](value func(*Snapshot) N) func(*Snapshot, emitFunc) {
	return func(s *Snapshot, emit emitFunc) { emit(float64(value(s))) }
}

// counts makes the values of a metric with one label.
func counts(values func(*Snapshot) []Count) func(*Snapshot, emitFunc) {
	return func(s *Snapshot, emit emitFunc) {
		for _, c := range values(s) {
			emit(float64(c.Value), c.Label)
		}
	}
}

// families makes the values of a metric with the label family alone.
func families(value func(*Snapshot) Families) func(*Snapshot, emitFunc) {
	return func(s *Snapshot, emit emitFunc) {
		v := value(s)
		emit(float64(v.IPv4), FamilyIPv4)
		emit(float64(v.IPv6), FamilyIPv6)
	}
}

// byFamily makes the values of a metric with the label family and another one.
func byFamily(values func(*Snapshot) []ByFamily) func(*Snapshot, emitFunc) {
	return func(s *Snapshot, emit emitFunc) {
		for _, v := range values(s) {
			emit(float64(v.IPv4), FamilyIPv4, v.Label)
			emit(float64(v.IPv6), FamilyIPv6, v.Label)
		}
	}
}

// unixSeconds returns t as Prometheus writes times, and 0 for no time.
func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func workerIndex(i int) string { return strconv.Itoa(i) }
