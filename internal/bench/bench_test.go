package bench

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func writePlan(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWrongPlansAreExplained(t *testing.T) {
	const ok = "[[trackers]]\nname = \"a\"\nprocesses = [[\"true\"]]\n[[workloads]]\nname = \"w\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "at least one [[trackers]] and one [[workloads]]"},
		{"unknown key", "runds = 3\n" + ok, "runds"},
		{"processors", "server_cpus = \"first\"\n" + ok, `server_cpus: "first" is no list of processors`},
		{"unknown workload", strings.Replace(ok, "[[workloads]]", "workloads = [\"x\"]\n[[workloads]]", 1), `there is no workload "x"`},
		{"load key", ok + "[workloads.load]\nspeed = 3\n", "workload w: load"},
		{"load value", ok + "[workloads.load]\nnum_workers = 0\n", "num_workers = 0: needs a number of at least 1"},
		{"no processes", "[[trackers]]\nname = \"a\"\n[[workloads]]\nname = \"w\"\n", "needs a name and processes"},
		{"same name", ok + "[[workloads]]\nname = \"w\"\n", "needs a name of its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadPlan(writePlan(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
	if _, err := LoadPlan(writePlan(t, ok)); err != nil {
		t.Error(err)
	}
}

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0,2-4": {0, 2, 3, 4}, "1, 3": {1, 3}, "": nil, "3-1": nil, "-1": nil, "2000": nil} {
		got, err := parseCPUs(list)
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("parseCPUs(%q) = %v, %v; want %v", list, got, err, want)
		}
	}
}

func TestEstimate(t *testing.T) {
	// Worked by hand: mean 3, standard deviation sqrt(2.5), t(4) = 2.776.
	got := estimate([]float64{1, 2, 3, 4, 5})
	half := 2.776 * math.Sqrt(2.5/5)
	if got.Mean != 3 || math.Abs(got.Low-(3-half)) > 1e-9 || math.Abs(got.High-(3+half)) > 1e-9 {
		t.Errorf("estimate is %+v, want 3 ± %v", got, half)
	}
	if one := estimate([]float64{7}); one != (Interval{7, 7, 7}) {
		t.Errorf("estimate of one sample is %+v", one)
	}
	// A round that is slow for both falls out of a ratio.
	r := estimateRatio([]float64{2, 20, 4}, []float64{1, 10, 2})
	if math.Abs(r.Mean-2) > 1e-9 || math.Abs(r.High-r.Low) > 1e-9 {
		t.Errorf("ratio is %+v, want exactly 2", r)
	}
}

// made returns a result in which tracker b takes twice a's time.
func made(scale float64) *Result {
	r := &Result{When: time.Unix(0, 0).UTC(), Rounds: 3, Seconds: 1}
	for round := range 3 {
		jitter := 1 + 0.01*float64(round)
		r.Samples = append(r.Samples,
			Sample{Tracker: "a", Workload: "close", Round: round, CPUMicros: 10 * jitter * scale, PerSecond: 100, P99Micros: 50},
			Sample{Tracker: "b", Workload: "close", Round: round, CPUMicros: 20 * jitter, PerSecond: 50, P99Micros: 90},
			Sample{Tracker: "a", Workload: "memory", Round: round, BytesPerPeer: 16},
			Sample{Tracker: "a", Workload: "rates", Round: round, Rate: 100, P99Micros: 100},
			Sample{Tracker: "a", Workload: "rates", Round: round, Rate: 200, P99Micros: 400},
			Sample{Tracker: "a", Workload: "cores", Round: round, Cores: 1, PerSecond: 100, CPUMicros: 10},
			Sample{Tracker: "a", Workload: "cores", Round: round, Cores: 2, PerSecond: 190, CPUMicros: 11},
		)
	}
	return r
}

func TestMarkdownComparesWithTheFirstTracker(t *testing.T) {
	var b bytes.Buffer
	made(1).WriteMarkdown(&b)
	for _, want := range []string{"### close", "| a | closed | 10.10 | 1.000 (1.000–1.000)", "| b | closed | 20.20 | 2.000 (2.000–2.000)", "| a | 200/s |", "| a | closed, 2 cores |", "| 16.0 |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("report does not say %q:\n%s", want, &b)
		}
	}
}

func TestCompareFindsARegression(t *testing.T) {
	var b bytes.Buffer
	if n := Compare(&b, made(1), made(1.5)); n != 1 || !strings.Contains(b.String(), "| slower |") {
		t.Errorf("%d slower, want 1:\n%s", n, &b)
	}
	b.Reset()
	if n := Compare(&b, made(1), made(1)); n != 0 {
		t.Errorf("%d slower than itself:\n%s", n, &b)
	}
	b.Reset()
	if n := Compare(&b, made(1.5), made(1)); n != 0 || !strings.Contains(b.String(), "| faster |") {
		t.Errorf("%d slower, want 0 and one faster:\n%s", n, &b)
	}
}

func TestResultSurvivesItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := made(1).Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Samples, made(1).Samples) {
		t.Errorf("read %+v", got.Samples)
	}
	if _, err := Read(writePlan(t, "{}")); err == nil {
		t.Error("a file without samples was taken for a result")
	}
}

func TestPlotDrawsEachWorkload(t *testing.T) {
	files, err := made(1).Plot(t.TempDir(), "svg")
	if err != nil || len(files) != 4 {
		t.Fatalf("%v, %v; want four files", files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || !bytes.Contains(b, []byte("<svg")) {
			t.Errorf("%s is no SVG picture: %v", f, err)
		}
	}
}

func TestCheckedInPlansLoad(t *testing.T) {
	for _, path := range []string{"../../bench/plan.toml", "../../bench/smoke.toml"} {
		if _, err := LoadPlan(path); err != nil {
			t.Error(err)
		}
	}
}
