package main

import (
	"math"
	"os"
	"path/filepath"
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
		{"conntrack", r.ConntrackThousands, 100},
	} {
		if math.Abs(c.got-c.want) > 1e-9*math.Max(1, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// The page and the output beside it show what the program makes of the input.
func TestPageIsTheProgramsOutput(t *testing.T) {
	in, err := read("../../docs/capacity.json")
	if err != nil {
		t.Fatal(err)
	}
	var table, output strings.Builder
	in.write(&table)
	if err := in.writeJSON(&output); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/capacity.md does not show this:\n%s", &table)
	}
	kept, err := os.ReadFile("../../docs/capacity-output.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(kept) != output.String() {
		t.Errorf("docs/capacity-output.json is not this:\n%s", &output)
	}
}

func TestWrongInputIsExplained(t *testing.T) {
	good, err := os.ReadFile("../../docs/capacity.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"no JSON", "{", "[", "after array element"},
		{"unknown key", "interval_s", "intervall_s", `unknown field "intervall_s"`},
		{"nothing", `"interval_s": 1890`, `"interval_s": 0`, "interval_s = 0: needs numbers above 0"},
		{"no peers", "[1000000, 10000000, 100000000]", "[]", "peers is missing: needs a list of numbers"},
		{"less than no peers", "[1000000,", "[-1,", "needs numbers above 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in.json")
			if err := os.WriteFile(path, []byte(strings.Replace(string(good), c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := read(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one with %q", err, c.want)
			}
		})
	}
}
