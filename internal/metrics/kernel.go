package metrics

import (
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// kernel collects what only the kernel knows of connections that never
// reached the tracker. It counts for the whole network namespace.
type kernel struct {
	netstat procFile
	rows    []kernelRow
}

// A kernelRow is one counter of the kernel.
type kernelRow struct {
	name string // in the TcpExt line of /proc/net/netstat
	desc *prometheus.Desc
}

func newKernel(namespace string) *kernel {
	k := &kernel{netstat: openProc("/proc/self/net/netstat")}
	for _, row := range []struct{ name, metric, help string }{
		{"ListenOverflows", "kernel_listen_overflows_total", "Connections dropped because an accept queue was full, in the whole network namespace."},
		{"ListenDrops", "kernel_listen_drops_total", "Connections dropped at a listening socket for whatever reason, in the whole network namespace."},
		{"TCPReqQFullDrop", "kernel_syn_drops_total", "SYNs dropped because a SYN queue was full, in the whole network namespace."},
		{"SyncookiesSent", "kernel_syn_cookies_sent_total", "SYN cookies sent because a SYN queue was full, in the whole network namespace."},
	} {
		desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", row.metric), row.help, nil, nil)
		k.rows = append(k.rows, kernelRow{row.name, desc})
	}
	return k
}

// Describe implements prometheus.Collector.
func (k *kernel) Describe(ch chan<- *prometheus.Desc) {
	for _, row := range k.rows {
		ch <- row.desc
	}
}

// Collect implements prometheus.Collector. What the system does not count is
// left out.
func (k *kernel) Collect(ch chan<- prometheus.Metric) {
	values := parseNetstat(k.netstat.read())
	for _, row := range k.rows {
		if n, counted := values[row.name]; counted {
			ch <- constMetric(row.desc, counter, float64(n), nil)
		}
	}
}

// parseNetstat reads the TcpExt counters of /proc/net/netstat: a line of
// names and a line of values, both after the word TcpExt.
func parseNetstat(b []byte) map[string]uint64 {
	const section = "TcpExt:"
	var names []string
	for line := range strings.Lines(string(b)) {
		rest, found := strings.CutPrefix(line, section)
		if !found {
			continue
		}
		fields := strings.Fields(rest)
		if names == nil {
			names = fields
			continue
		}
		values := make(map[string]uint64, len(names))
		for i, field := range fields {
			if n, err := strconv.ParseUint(field, 10, 64); err == nil && i < len(names) {
				values[names[i]] = n
			}
		}
		return values
	}
	return nil
}

// Close gives the file back.
func (k *kernel) Close() error { return k.netstat.close() }
