package daemon

import (
	"context"
	"log/slog"
	"time"
)

// monitorEvery is how often what happened too often to log it is summed up.
const monitorEvery = time.Minute

// A concern is something that an operator should hear of, but once a minute and
// not each time.
type concern struct {
	text  string
	count func(*tally) uint64 // since the start
}

// tally is what concerns are counted by. The server itself logs what proxies do wrong,
// and that accepting pauses.
type tally struct {
	full, displaced uint64
	limits          map[string]uint64
}

// concerns returns what the monitor looks for.
func concerns() []concern {
	limit := func(label string) func(*tally) uint64 {
		return func(t *tally) uint64 { return t.limits[label] }
	}
	return []concern{
		{"the store is full: new torrents are refused (max_memory, max_torrents)", func(t *tally) uint64 { return t.full }},
		{"the store is full: peers make way for newer ones (max_memory)", func(t *tally) uint64 { return t.displaced }},
		{"connections are refused: max_connections are open; raise it, and the limit of open files that it lies below (ulimit -n, LimitNOFILE=)", limit("connections")},
		{"connections are refused: max_connections_per_ip are open from their addresses", limit("address_connections")},
		{"connections are refused: their addresses open more than connections_per_second_per_ip", limit("connection_rate")},
		{"requests are refused: their addresses send more than requests_per_second_per_ip", limit("request_rate")},
	}
}

// A monitor logs which concerns have grown.
type monitor struct {
	concerns []concern
	last     []uint64
	log      *slog.Logger
}

func newMonitor(log *slog.Logger) *monitor {
	all := concerns()
	return &monitor{all, make([]uint64, len(all)), log}
}

// look logs what has happened since the last look.
func (m *monitor) look(t *tally) {
	for i, c := range m.concerns {
		n := c.count(t)
		if n > m.last[i] {
			m.log.Warn(c.text, "times", n-m.last[i])
		}
		m.last[i] = n
	}
}

// monitor sums up what happened, once a minute and at the end.
func (d *Daemon) monitor(ctx context.Context) {
	m := newMonitor(d.log.Logger)
	look := func() { m.look(d.tally()) }
	every(ctx, monitorEvery, look)
	look()
}

// tally counts what the monitor looks for.
func (d *Daemon) tally() *tally {
	store, server := d.store.Stats(), d.server.Stats()
	t := &tally{full: store.RefusedTorrents, displaced: store.DisplacedPeers, limits: map[string]uint64{}}
	for _, c := range server.Refused {
		t.limits[c.Label] = c.Value
	}
	return t
}
