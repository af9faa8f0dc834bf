// Command capacity works out what a number of peers asks of a machine, from what
// one request was measured to take. docs/capacity.md shows its output.
//
//	go run ./bench/capacity docs/capacity.json
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// Input is what was measured, and what is assumed of clients.
type Input struct {
	// Measured.
	CloseCPUMicros   float64 `json:"close_cpu_us"`       // server CPU time of an announce on a connection of its own
	KeptCPUMicros    float64 `json:"kept_cpu_us"`        // of one on a kept connection
	TLSCPUMicros     float64 `json:"tls_cpu_us"`         // of one behind a full TLS 1.3 handshake
	BytesPerTorrent  float64 `json:"bytes_per_torrent"`  // resident
	BytesPerPeer     float64 `json:"bytes_per_peer"`     // resident, IPv4
	BaseBytes        float64 `json:"base_bytes"`         // resident, of an empty tracker
	WireBytesIn      float64 `json:"wire_bytes_in"`      // of one announce with its connection, headers of all layers counted
	WireBytesOut     float64 `json:"wire_bytes_out"`     // of its reply
	PacketsPerClosed float64 `json:"packets_per_closed"` // both ways, of one announce with its connection

	// Assumed.
	IntervalSeconds   float64   `json:"interval_s"`          // between two announces of a peer, jitter included
	ExtraRequests     float64   `json:"extra_requests"`      // started, completed, stopped and scrapes for each periodic announce
	PeersPerTorrent   float64   `json:"peers_per_torrent"`   // on average
	MaxUtilisation    float64   `json:"max_utilisation"`     // of a core, so that bursts find room
	ConntrackSeconds  float64   `json:"conntrack_s"`         // that a closed connection stays in a connection table on the way
	ConntrackBytes    float64   `json:"conntrack_bytes"`     // of one entry there
	Peers             []float64 `json:"peers"`               // sizes to work out
	UsableLinkMegabit float64   `json:"usable_link_megabit"` // of one network card, for one direction
}

// Row is what one number of peers asks for.
type Row struct {
	Peers           float64
	Requests        float64 // per second
	CoresClose      float64
	CoresKept       float64
	CoresTLS        float64
	MemoryGiB       float64
	MegabitIn       float64
	MegabitOut      float64
	Packets         float64 // per second, both ways
	Links           float64 // network cards for the busier direction
	ConntrackMillis float64 // thousands of entries
	ConntrackMiB    float64
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: capacity INPUT.json")
		os.Exit(2)
	}
	b, err := os.ReadFile(os.Args[1])
	var in Input
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "capacity: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
	in.write(os.Stdout)
}

// row works out what a number of peers asks for.
func (in *Input) row(peers float64) Row {
	requests := peers / in.IntervalSeconds * (1 + in.ExtraRequests)
	cores := func(micros float64) float64 { return requests * micros / 1e6 / in.MaxUtilisation }
	r := Row{
		Peers: peers, Requests: requests,
		CoresClose: cores(in.CloseCPUMicros), CoresKept: cores(in.KeptCPUMicros), CoresTLS: cores(in.TLSCPUMicros),
		MemoryGiB: (in.BaseBytes + peers*in.BytesPerPeer + peers/in.PeersPerTorrent*in.BytesPerTorrent) / (1 << 30),
		MegabitIn: requests * in.WireBytesIn * 8 / 1e6, MegabitOut: requests * in.WireBytesOut * 8 / 1e6,
		Packets:         requests * in.PacketsPerClosed,
		ConntrackMillis: requests * in.ConntrackSeconds / 1e3,
		ConntrackMiB:    requests * in.ConntrackSeconds * in.ConntrackBytes / (1 << 20),
	}
	r.Links = max(r.MegabitIn, r.MegabitOut) / in.UsableLinkMegabit
	return r
}

// write prints a Markdown table with a column for each number of peers.
func (in *Input) write(w io.Writer) {
	rows := make([]Row, len(in.Peers))
	for i, p := range in.Peers {
		rows[i] = in.row(p)
	}
	line := func(name string, cell func(*Row) string) {
		cells := make([]string, len(rows))
		for i := range rows {
			cells[i] = cell(&rows[i])
		}
		fmt.Fprintf(w, "| %s | %s |\n", name, strings.Join(cells, " | "))
	}
	number := func(figure func(*Row) float64, format string) func(*Row) string {
		return func(r *Row) string { return fmt.Sprintf(format, figure(r)) }
	}
	line("peers", number(func(r *Row) float64 { return r.Peers }, "%.0f"))
	line("---", func(*Row) string { return "---" })
	line("requests a second", number(func(r *Row) float64 { return r.Requests }, "%.0f"))
	line("cores, a connection for each request", number(func(r *Row) float64 { return r.CoresClose }, "%.2f"))
	line("cores, kept connections (behind a proxy)", number(func(r *Row) float64 { return r.CoresKept }, "%.2f"))
	line("cores, a TLS handshake for each request", number(func(r *Row) float64 { return r.CoresTLS }, "%.2f"))
	line("memory, GiB", number(func(r *Row) float64 { return r.MemoryGiB }, "%.2f"))
	line("Mbit/s in", number(func(r *Row) float64 { return r.MegabitIn }, "%.0f"))
	line("Mbit/s out", number(func(r *Row) float64 { return r.MegabitOut }, "%.0f"))
	line("packets a second, both ways", number(func(r *Row) float64 { return r.Packets }, "%.0f"))
	line("network cards", number(func(r *Row) float64 { return r.Links }, "%.2f"))
	line("connection table entries, thousands", number(func(r *Row) float64 { return r.ConntrackMillis }, "%.0f"))
	line("connection table, MiB", number(func(r *Row) float64 { return r.ConntrackMiB }, "%.0f"))
}
