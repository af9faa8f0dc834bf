package main

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
)

func TestRowIsTheArithmeticOfThePage(t *testing.T) {
	in := Input{
		CloseCPUMicros: 50, BytesPerTorrent: 64, BytesPerPeer: 16, BaseBytes: 1 << 30, WireBytesIn: 1000, WireBytesOut: 500,
		PacketsPerClosed: 10, IntervalSeconds: 2000, ExtraRequests: 0.25, PeersPerTorrent: 4, MaxUtilisation: 0.5,
		ConntrackSeconds: 100, ConntrackBytes: 320, UsableLinkMegabit: 1000,
	}
	r := in.row(1_600_000)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"requests", r.Requests, 1000},
		{"cores", r.CoresClose, 0.1},
		{"memory", r.MemoryGiB, 1 + (25.6e6+25.6e6)/(1<<30)},
		{"in", r.MegabitIn, 8},
		{"out", r.MegabitOut, 4},
		{"packets", r.Packets, 10_000},
		{"links", r.Links, 0.008},
		{"conntrack", r.ConntrackMillis, 100},
	} {
		if math.Abs(c.got-c.want) > 1e-9*math.Max(1, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// The page shows what the program makes of the data beside it.
func TestPageIsTheProgramsOutput(t *testing.T) {
	data, err := os.ReadFile("../../docs/capacity.json")
	if err != nil {
		t.Fatal(err)
	}
	var in Input
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	in.write(&table)
	page, err := os.ReadFile("../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/capacity.md does not show this:\n%s", &table)
	}
}
