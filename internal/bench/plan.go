package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"spate/internal/load"
)

// Plan is a benchmark: which trackers, which workloads, and how often.
type Plan struct {
	// Processors that the servers run on, and those of the load generator, as
	// lists such as "0" or "0,2-3". They should not overlap.
	ServerCPUs    string `toml:"server_cpus"`
	GeneratorCPUs string `toml:"generator_cpus"`
	// Rounds in which every tracker is measured once.
	Rounds int `toml:"rounds"`
	// Seconds of load that are measured, and seconds before that are not.
	Seconds int `toml:"seconds"`
	Warmup  int `toml:"warmup"`

	Trackers  []Tracker  `toml:"trackers"`
	Workloads []Workload `toml:"workloads"`
}

// Tracker is a server to measure. In Processes, Config and Env these words stand
// for what each start fills in:
//
//	{address} {host} {port}  where the load goes, whole and in parts
//	{back} {backport}        a second address, for a tracker behind a front
//	{config}                 the path of a file with Config in it
//	{cert} {key} {pem}       a certificate, its key, and both in one file
//	{hashes}                 a file with the load's info hashes, one a line
//	{dir}                    a scratch folder
//	{cores}                  how many processors it runs on
type Tracker struct {
	Name string `toml:"name"`
	// Processes are started in order; the last one is ready last. The CPU time
	// of all of them counts.
	Processes [][]string `toml:"processes"`
	Config    string     `toml:"config"`
	// Files are further files in the scratch folder, by name.
	Files map[string]string `toml:"files"`
	Env   []string          `toml:"env"`
	// Workloads that it can do, by name; empty is all.
	Workloads []string `toml:"workloads"`
}

// Workload is one kind of load.
type Workload struct {
	Name string `toml:"name"`
	// Memory reports the growth of resident memory for each answered announce.
	Memory bool `toml:"memory"`
	// Rates, in requests a second, are run as open loops one after another; empty
	// is one closed loop.
	Rates []float64 `toml:"rates"`
	// ServerCPUs are lists of processors that the servers run on one after another,
	// to show how they scale; empty is the plan's server_cpus. {cores} in a
	// tracker's strings stands for how many there are.
	ServerCPUs []string `toml:"server_cpus"`
	// Load is spate-load's configuration, as far as it differs from the default.
	Load map[string]any `toml:"load"`

	config load.Config
}

// LoadPlan reads a plan. All that is wrong with it is in the error.
func LoadPlan(path string) (*Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p := &Plan{ServerCPUs: "0", GeneratorCPUs: "1", Rounds: 5, Seconds: 5, Warmup: 1}
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(p); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("plan %s: unknown keys:\n%s", path, unknown.String())
		}
		return nil, fmt.Errorf("plan %s: %w", path, err)
	}
	if err := p.validate(); err != nil {
		return nil, fmt.Errorf("plan %s:\n%w", path, err)
	}
	return p, nil
}

func (p *Plan) validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if p.Rounds < 1 || p.Seconds < 1 || p.Warmup < 0 {
		add("rounds and seconds need to be at least 1, warmup at least 0")
	}
	for key, list := range map[string]string{"server_cpus": p.ServerCPUs, "generator_cpus": p.GeneratorCPUs} {
		if _, err := parseCPUs(list); err != nil {
			add("%s: %w", key, err)
		}
	}
	if len(p.Trackers) == 0 || len(p.Workloads) == 0 {
		add("at least one [[trackers]] and one [[workloads]] are needed")
	}
	names := map[string]bool{}
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if w.Name == "" || names[w.Name] {
			add("workloads: name = %q: needs a name of its own", w.Name)
		}
		names[w.Name] = true
		if len(w.ServerCPUs) == 0 {
			w.ServerCPUs = []string{p.ServerCPUs}
		}
		for _, list := range w.ServerCPUs {
			if _, err := parseCPUs(list); err != nil {
				add("workload %s: server_cpus: %w", w.Name, err)
			}
		}
		if err := w.readLoad(); err != nil {
			add("workload %s: %w", w.Name, err)
		}
	}
	for i := range p.Trackers {
		t := &p.Trackers[i]
		if t.Name == "" || len(t.Processes) == 0 {
			add("trackers: name = %q: needs a name and processes", t.Name)
		}
		for _, w := range t.Workloads {
			if !names[w] {
				add("tracker %s: there is no workload %q", t.Name, w)
			}
		}
	}
	return errors.Join(errs...)
}

// readLoad turns the workload's table into spate-load's configuration.
func (w *Workload) readLoad() error {
	w.config = load.DefaultConfig()
	b, err := toml.Marshal(w.Load)
	if err != nil {
		return err
	}
	if err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&w.config); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	return w.config.Validate()
}

// does reports whether t can do the workload.
func (t *Tracker) does(w *Workload) bool {
	return len(t.Workloads) == 0 || slices.Contains(t.Workloads, w.Name)
}

// Select keeps the trackers and workloads that are named in comma-separated
// lists; an empty list keeps all.
func (p *Plan) Select(trackers, workloads string) error {
	if trackers != "" {
		names := strings.Split(trackers, ",")
		p.Trackers = slices.DeleteFunc(p.Trackers, func(t Tracker) bool { return !slices.Contains(names, t.Name) })
		if len(p.Trackers) != len(names) {
			return fmt.Errorf("trackers %s: the plan does not have all of them", trackers)
		}
	}
	if workloads != "" {
		names := strings.Split(workloads, ",")
		p.Workloads = slices.DeleteFunc(p.Workloads, func(w Workload) bool { return !slices.Contains(names, w.Name) })
		if len(p.Workloads) != len(names) {
			return fmt.Errorf("workloads %s: the plan does not have all of them", workloads)
		}
	}
	return nil
}
