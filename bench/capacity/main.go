// Command capacity works out what a number of peers asks of a machine, from what
// one request was measured to take. docs/capacity.md shows its output.
//
//	go run ./bench/capacity docs/capacity.json
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
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
	Peers              float64 `json:"peers"`
	Requests           float64 `json:"requests_per_second"`
	CoresClose         float64 `json:"cores_closed"`
	CoresKept          float64 `json:"cores_kept"`
	CoresTLS           float64 `json:"cores_tls"`
	MemoryGiB          float64 `json:"memory_gib"`
	MegabitIn          float64 `json:"megabit_in"`
	MegabitOut         float64 `json:"megabit_out"`
	Packets            float64 `json:"packets_per_second"` // both ways
	Links              float64 `json:"network_cards"`      // for the busier direction
	ConntrackThousands float64 `json:"connection_table_thousands"`
	ConntrackMiB       float64 `json:"connection_table_mib"`
}

func main() {
	asJSON := flag.Bool("json", false, "print JSON and not a Markdown table")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: capacity [-json] INPUT.json")
		os.Exit(2)
	}
	in, err := read(flag.Arg(0))
	if err == nil {
		if *asJSON {
			err = in.writeJSON(os.Stdout)
		} else {
			in.write(os.Stdout)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "capacity: %v\n", err)
		os.Exit(1)
	}
}

// read reads an input file, whose numbers all have to be above 0.
func read(path string) (*Input, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var in Input
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	v := reflect.ValueOf(in)
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		switch f := v.Field(i); {
		case f.Kind() == reflect.Slice && f.Len() == 0:
			return nil, fmt.Errorf("%s: %s is missing: needs a list of numbers", path, key)
		case f.Kind() == reflect.Slice && slices.Min(in.Peers) <= 0, f.Kind() == reflect.Float64 && f.Float() <= 0:
			return nil, fmt.Errorf("%s: %s = %v: needs numbers above 0", path, key, f)
		}
	}
	return &in, nil
}

// rows works out all of the input's numbers of peers.
func (in *Input) rows() []Row {
	rows := make([]Row, len(in.Peers))
	for i, p := range in.Peers {
		rows[i] = in.row(p)
	}
	return rows
}

// writeJSON prints a list with an object for each number of peers.
func (in *Input) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(in.rows())
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
		Packets:            requests * in.PacketsPerClosed,
		ConntrackThousands: requests * in.ConntrackSeconds / 1e3,
		ConntrackMiB:       requests * in.ConntrackSeconds * in.ConntrackBytes / (1 << 20),
	}
	r.Links = max(r.MegabitIn, r.MegabitOut) / in.UsableLinkMegabit
	return r
}

// write prints a Markdown table with a column for each number of peers.
func (in *Input) write(w io.Writer) {
	rows := in.rows()
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
	line("connection table entries, thousands", number(func(r *Row) float64 { return r.ConntrackThousands }, "%.0f"))
	line("connection table, MiB", number(func(r *Row) float64 { return r.ConntrackMiB }, "%.0f"))
}
