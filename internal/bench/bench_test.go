package bench

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
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
		{"no TOML", "rounds\n", "plan.toml:1: is no valid TOML"},
		{"type", "rounds = \"a\"\n" + ok, `plan.toml:1: rounds = "a": needs a whole number`},
		{"rounds", "rounds = 0\n" + ok, "plan.toml:1: rounds = 0: needs a number from 1 to 1000"},
		{"two at once", "rounds = 0\nseconds = 0\n" + ok, "plan.toml:2: seconds = 0: needs a number from 1 to 86400"},
		{"empty process", strings.Replace(ok, "\"true\"", "", 1), "plan.toml:3: [[trackers]] processes: needs a program in each list"},
		{"flat process", strings.Replace(ok, "[[\"true\"]]", "[\"true\"]", 1), "plan.toml:3: [[trackers]] processes: needs a list of lists"},
		{"same tracker", ok + ok[:strings.Index(ok, "[[work")], "plan.toml:7: [[trackers]] name = \"a\": there is another one of that name"},
		{"name", ok + "[[workloads]]\nname = \"../w\"\n", "plan.toml:7: [[workloads]] name = \"../w\": needs a name without slashes"},
		{"rates", ok + "rates = [-1.0]\n", "plan.toml:6: [[workloads]] rates: -1: needs numbers"},
		{"memory", ok + "memory = true\n", "plan.toml:6: [[workloads]] memory = true: needs fill"},
		{"fill", ok + "fill = -1\n", "plan.toml:6: [[workloads]] fill = -1: needs a number from 0"},
		{"environment", strings.Replace(ok, "[[workloads]]", "env = [\"A\"]\n[[workloads]]", 1), `plan.toml:4: [[trackers]] env: "A": needs NAME=VALUE`},
		{"file", ok + "[[trackers]]\nname = \"b\"\nprocesses = [[\"true\"]]\n[trackers.files]\nconf = 3\n", "plan.toml:10: [trackers.files] conf = 3: needs a string in quotes"},
		{"nested load key", ok + "[workloads.load]\nmix = {cleint = \"mixed\"}\n", "plan.toml:7: [workloads.load.mix] cleint: there is no such key; did you mean client?"},
		{"empty", "", "plan.toml: at least one [[trackers]] and one [[workloads]]"},
		{"unknown key", "runds = 3\n" + ok, "plan.toml:1: runds: there is no such key; did you mean rounds?"},
		{"processors", "server_cpus = \"first\"\n" + ok, `plan.toml:1: server_cpus = "first": "first" is no list of processors`},
		{"unknown workload", strings.Replace(ok, "[[workloads]]", "workloads = [\"x\"]\n[[workloads]]", 1), `plan.toml:4: [[trackers]] workloads: names "x": there is no such workload`},
		{"load key", ok + "[workloads.load]\nspeed = 3\n", "plan.toml:7: [workloads.load] speed: there is no such key"},
		{"load value", ok + "[workloads.load]\nnum_workers = 0\n", "plan.toml:7: [workloads.load] num_workers = 0: needs a number of at least 1"},
		{"no processes", "[[trackers]]\nname = \"a\"\n[[workloads]]\nname = \"w\"\n", "plan.toml:1: [[trackers]] processes: is missing"},
		{"same name", ok + "[[workloads]]\nname = \"w\"\n", "plan.toml:7: [[workloads]] name = \"w\": there is another one of that name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writePlan(t, c.text)
			_, err := LoadPlan(path)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""), c.want) {
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
			Sample{Tracker: "a", Workload: "memory", Round: round, BytesPerPeer: 16, Points: []Point{{0, 1 << 20}, {1000, 2 << 20}}},
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
	if n := Compare(&b, made(1), made(1.5)); n != 1 || !strings.Contains(b.String(), "| worse |") {
		t.Errorf("%d slower, want 1:\n%s", n, &b)
	}
	b.Reset()
	if n := Compare(&b, made(1), made(1)); n != 0 {
		t.Errorf("%d slower than itself:\n%s", n, &b)
	}
	b.Reset()
	if n := Compare(&b, made(1.5), made(1)); n != 0 || !strings.Contains(b.String(), "| better |") {
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
	if !reflect.DeepEqual(got.Samples, made(1).Samples) {
		t.Errorf("read %+v", got.Samples)
	}
	if _, err := Read(writePlan(t, "{}")); err == nil {
		t.Error("a file without samples was taken for a result")
	}
}

func TestPlotDrawsEachWorkload(t *testing.T) {
	files, err := made(1).Plot(t.TempDir(), "svg")
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v; want five files", files, err)
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

// The rounds of one run are no pairs of another's: in which order they came must
// not matter, and two noisy runs must not look different.
func TestRatioOfRunsKnowsNoPairs(t *testing.T) {
	a, b := []float64{10, 12, 11, 13, 9}, []float64{5, 4.5, 6, 5.5, 6.5}
	first, second := estimateRatioOfRuns(a, b), estimateRatioOfRuns([]float64{9, 10, 11, 12, 13}, b)
	if math.Abs(first.Mean-second.Mean) > 1e-9 || math.Abs(first.Low-second.Low) > 1e-9 {
		t.Errorf("%+v and %+v differ by the order of rounds", first, second)
	}
	// The geometric means differ by this, and the deviation within each is near 14 %.
	mean := math.Exp((math.Log(10*12*11*13*9.0) - math.Log(5*4.5*6*5.5*6.5)) / 5)
	if math.Abs(first.Mean-mean) > 1e-9 || first.Low < 1.6 || first.High > 2.5 || first.Low > mean || first.High < mean {
		t.Errorf("ratio is %+v, want %v within some 20 %%", first, mean)
	}
	if noisy := estimateRatioOfRuns([]float64{10, 20, 10}, []float64{12, 19, 9}); noisy.Low > 1 || noisy.High < 1 {
		t.Errorf("ratio of two noisy runs is %+v: it should have 1 in it", noisy)
	}
	if one := estimateRatioOfRuns([]float64{4}, []float64{2}); one.Mean != 2 || one.Low != one.High {
		t.Errorf("ratio of single rounds is %+v, want 2 without an interval", one)
	}
}

func TestCompareNamesWhatOnlyOneRunHas(t *testing.T) {
	before, after := made(1), made(1)
	before.Samples = slices.DeleteFunc(before.Samples, func(s Sample) bool { return s.Tracker == "b" })
	after.Samples = slices.DeleteFunc(after.Samples, func(s Sample) bool { return s.Cores == 2 })
	after.Machine.Kernel = "another"
	var b bytes.Buffer
	Compare(&b, before, after)
	for _, want := range []string{"different machines", "| close | b | closed | | | | | only in the second run |", "| cores | a | closed, 2 cores | | | | | only in the first run |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("comparison does not say %q:\n%s", want, &b)
		}
	}
}

func TestPiecesOfARunAreReadAsOne(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, r *Result) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := r.Write(f); err != nil {
			t.Fatal(err)
		}
		return path
	}
	other := made(1)
	other.Machine.Commit = "another"
	first, second, alien := write("1.json", made(1)), write("2.json", made(2)), write("3.json", other)
	r, err := Read(first, second)
	if err != nil || len(r.Samples) != 2*len(made(1).Samples) {
		t.Errorf("%d samples, %v; want those of both", len(r.Samples), err)
	}
	if _, err := Read(first, alien); err == nil || !strings.Contains(err.Error(), "no pieces of one run") {
		t.Errorf("error is %v, want one that refuses pieces of different runs", err)
	}
}

func TestThinKeepsBothEnds(t *testing.T) {
	many := make([]Point, 1234)
	for i := range many {
		many[i].Peers = uint64(i)
	}
	if got := thin(many); len(got) != maxPoints || got[0].Peers != 0 || got[maxPoints-1].Peers != 1233 {
		t.Errorf("%d points from %v to %v", len(got), got[0], got[len(got)-1])
	}
	if got := thin(many[:3]); len(got) != 3 {
		t.Errorf("%d points of 3", len(got))
	}
}
