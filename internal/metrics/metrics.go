// Package metrics turns the numbers of the other packages into Prometheus
// metrics, at the time of a scrape: nothing is counted here, so that metrics
// cost nothing between scrapes. It imports none of them: whoever makes it gives
// a function that gathers a Snapshot.
package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	// DefaultNamespace is the first word of the metrics' names.
	DefaultNamespace = "spate"
	// AquaticNamespace gives aquatic_http's five metrics, with its names and
	// labels, besides all others under DefaultNamespace.
	AquaticNamespace = "aquatic"
)

// Config says what metrics are called.
type Config struct {
	// Namespace is the first word of the names: letters, digits and
	// underscores, no digit first. Empty is DefaultNamespace.
	Namespace string
	// Version and Commit are those of the build.
	Version, Commit string
}

// Metrics is a set of metrics over one source of snapshots.
type Metrics struct {
	registry *prometheus.Registry
	process  *process
	kernel   *kernel
}

// namespaceForm: Prometheus allows more in names, but colons are for rules and
// a leading underscore is its own.
var namespaceForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// New returns the metrics that gather's snapshots show. gather is called once
// a scrape, perhaps by several goroutines at once. Go's runtime and the
// process are measured too. New opens what it needs of /proc, so a chroot has
// to come after it.
func New(cfg Config, gather func() Snapshot) (*Metrics, error) {
	if cfg.Namespace == "" {
		cfg.Namespace = DefaultNamespace
	}
	if !namespaceForm.MatchString(cfg.Namespace) {
		return nil, fmt.Errorf("[metrics] namespace = %q: give letters, digits and underscores, no digit first", cfg.Namespace)
	}
	namespace, aquatic := cfg.Namespace, cfg.Namespace == AquaticNamespace
	if aquatic {
		namespace = DefaultNamespace
	}
	c := newCollector(namespace, aquatic, gather)
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace,
		Name:      "build_info",
		Help:      "Always 1; the labels say which build this is.",
		ConstLabels: prometheus.Labels{
			"version": cfg.Version, "commit": cfg.Commit, "goversion": runtime.Version(),
		},
	}, func() float64 { return 1 })

	m := &Metrics{registry: prometheus.NewRegistry(), process: newProcess(), kernel: newKernel(namespace)}
	for _, collector := range []prometheus.Collector{c, build, collectors.NewGoCollector(), m.process, m.kernel} {
		if err := m.registry.Register(collector); err != nil {
			return nil, errors.Join(fmt.Errorf("metrics: %w", err), m.Close())
		}
	}
	return m, nil
}

// Close gives back the few files that the metrics keep open. They must not be
// asked for afterwards.
func (m *Metrics) Close() error { return errors.Join(m.process.Close(), m.kernel.Close()) }

// Handler returns what serves the metrics in Prometheus' text format, and in
// OpenMetrics to those who ask for it.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// One broken value must not hide all others.
		ErrorHandling: promhttp.ContinueOnError,
		// Prometheus always asks for gzip. Compressing 26 KB to 5, mostly for this
		// machine's own network, would take as long as all the rest of a scrape, on
		// the processors that serve clients.
		DisableCompression: true,
		// A scraper that hangs must not pile up scrapes.
		MaxRequestsInFlight: maxScrapes,
	})
}

// maxScrapes is how many scrapes run at a time: two Prometheus servers, an
// operator with curl, and one to spare.
const maxScrapes = 4
