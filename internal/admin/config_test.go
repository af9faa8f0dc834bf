package admin

import (
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		want string // part of the error; empty: none
	}{
		{Config{Address: "127.0.0.1:3001"}, ""},
		{Config{Address: "[::1]:3001"}, ""},
		{Config{Address: "unix:/run/spate/admin.sock"}, ""},
		{Config{Address: "0.0.0.0:3001", Token: "t"}, ""},
		{Config{Address: "unix:@spate", Token: "t"}, ""},
		{Config{Address: "0.0.0.0:9000", MetricsOnly: true}, ""},
		{Config{Address: "0.0.0.0:3001"}, "token is missing"},
		{Config{Address: "192.168.1.1:3001"}, "token is missing"},
		{Config{Address: "unix:@spate"}, "token is missing"},
		{Config{Address: "localhost:3001"}, "address \""},
		{Config{Address: ":3001"}, "address \""},
		{Config{Address: "127.0.0.1"}, "address \""},
		{Config{Address: ""}, "address \""},
		{Config{Address: "unix:"}, "address \""},
		{Config{Address: "unix:@", Token: "t"}, "address \""},
		{Config{Address: "127.0.0.1:3001", Token: "a b"}, "visible ASCII"},
		{Config{Address: "127.0.0.1:3001", Token: "ä"}, "visible ASCII"},
		{Config{Address: "127.0.0.1:3001", MetricsOnly: true, Debug: true}, "metrics only"},
	} {
		err := tc.cfg.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.cfg, err, tc.want)
		}
	}
}

func TestAddressInUse(t *testing.T) {
	first, err := New(Config{Address: loopback}, Sources{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	_, err = New(Config{Address: first.Addr().String()}, Sources{}, nil)
	if err == nil || !strings.Contains(err.Error(), "address \"127.0.0.1:") {
		t.Errorf("an address in use: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Errorf("Close again: %v", err)
	}
}

func TestHistory(t *testing.T) {
	var h history
	at := time.Unix(1700000000, 0)
	stats := func(n uint64) Stats {
		return Stats{
			Announces: Requests{Total: Families{n, n}, Failed: Families{IPv4: n / 10}},
			Scrapes:   Requests{Total: Families{IPv4: n / 2}},
			Store:     Store{Torrents: int(n), Peers: Families{n, 1}},
			Latency:   Latency{BoundsMicros: []float64{1, 2, 4}, Buckets: []uint64{n, n / 2, n / 50, 0}},
		}
	}
	if s := h.series(); len(s.Time) != 0 || s.Announces == nil {
		t.Errorf("an empty history: %+v", s)
	}
	h.add(at, stats(100))
	h.add(at.Add(5*time.Second), stats(200))
	h.add(at.Add(5*time.Second), stats(200)) // no time between: no rate
	s := h.series()
	if len(s.Time) != 1 || s.Announces[0] != 40 || s.Scrapes[0] != 10 || s.Refused[0] != 2 || s.Peers[0] != 201 || s.P50[0] != 1 || s.P99[0] != 4 {
		t.Errorf("one point: %+v", s)
	}
	for i := range 2 * historyPoints {
		h.add(at.Add(time.Duration(i+2)*historyStep), stats(200+uint64(i)))
	}
	s = h.series()
	last := float64(at.Add(time.Duration(2*historyPoints+1) * historyStep).Unix())
	if len(s.Time) != historyPoints || s.Time[historyPoints-1] != last || s.Time[0] != last-float64(historyPoints-1)*historyStep.Seconds() {
		t.Errorf("a full history has %d points from %v to %v", len(s.Time), s.Time[0], s.Time[len(s.Time)-1])
	}
}

func TestQuantiles(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, tc := range []struct {
		before, now []uint64
		p50, p99    float64
	}{
		{nil, nil, 0, 0},
		{[]uint64{5, 5, 5, 5}, []uint64{5, 5, 5, 5}, 0, 0},
		{nil, []uint64{100, 0, 0, 0}, 1, 1},
		{nil, []uint64{98, 1, 1, 0}, 1, 2},
		{nil, []uint64{0, 0, 0, 7}, 4, 4},
		{[]uint64{100, 0, 0, 0}, []uint64{101, 1, 0, 0}, 1, 2},
	} {
		p50, p99 := quantiles(&Latency{bounds, tc.now}, &Latency{bounds, tc.before})
		if p50 != tc.p50 || p99 != tc.p99 {
			t.Errorf("%v after %v: %v and %v, want %v and %v", tc.now, tc.before, p50, p99, tc.p50, tc.p99)
		}
	}
}
