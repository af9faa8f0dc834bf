package bench

import (
	"fmt"
	"slices"
	"strings"

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

// Tracker is a server to measure. In Processes, Config, Env and Scrape these words stand
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
	// Scrape is the URL of its metrics, which are asked for ScrapesPerSecond times
	// a second, 1 where that is 0, while it is measured; empty is none.
	Scrape           string `toml:"scrape"`
	ScrapesPerSecond int    `toml:"scrapes_per_second"`
	// Version is a command whose first line of output says which version it is;
	// empty takes what Go's linker has noted in the program, or its checksum.
	Version []string `toml:"version"`
}

// Workload is one kind of load.
type Workload struct {
	Name string `toml:"name"`
	// Fill is how many announces are sent, as fast as they go, before anything is
	// measured. Resident memory is noted on the way.
	Fill int `toml:"fill"`
	// Memory says that filling is all there is to measure.
	Memory bool `toml:"memory"`
	// Rates, in requests a second, are run as open loops one after another; empty
	// is one closed loop.
	Rates []float64 `toml:"rates"`
	// ServerCPUs are lists of processors that the servers run on one after another,
	// to show how they scale; empty is the plan's server_cpus. {cores} in a
	// tracker's strings stands for how many there are.
	ServerCPUs []string `toml:"server_cpus"`
	// Load is spate-load's configuration, as far as it differs from the default.
	Load load.Config `toml:"load"`
}

// SetDefaults gives w the load of a workload that says nothing of it.
func (w *Workload) SetDefaults() { w.Load = load.DefaultConfig() }

// does reports whether t can do the workload.
func (t *Tracker) does(w *Workload) bool {
	return len(t.Workloads) == 0 || slices.Contains(t.Workloads, w.Name)
}

// Select keeps the trackers and workloads that are named in comma-separated
// lists; an empty list keeps all.
func (p *Plan) Select(trackers, workloads string) error {
	var err error
	p.Trackers, err = keep("tracker", trackers, p.Trackers, func(t *Tracker) string { return t.Name })
	if err != nil {
		return err
	}
	p.Workloads, err = keep("workload", workloads, p.Workloads, func(w *Workload) string { return w.Name })
	return err
}

// keep returns those of all that a comma-separated list names, in the plan's order.
func keep[T any](kind, list string, all []T, name func(*T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var kept []T
	var have []string
	wanted := strings.Split(list, ",")
	for i := range all {
		have = append(have, name(&all[i]))
		if slices.Contains(wanted, name(&all[i])) {
			kept = append(kept, all[i])
		}
	}
	for _, w := range wanted {
		if !slices.Contains(have, w) {
			return nil, fmt.Errorf("there is no %s %q: the plan has %s", kind, w, strings.Join(have, ", "))
		}
	}
	return kept, nil
}

// UsePrograms replaces programs by others: each pair is "NAME=PATH", and NAME is
// what stands first in a tracker's processes.
func (p *Plan) UsePrograms(pairs []string) error {
	for _, pair := range pairs {
		name, path, ok := strings.Cut(pair, "=")
		if !ok || name == "" || path == "" {
			return fmt.Errorf("--program %s: needs NAME=PATH", pair)
		}
		used := false
		for i := range p.Trackers {
			for _, args := range append(p.Trackers[i].Processes, p.Trackers[i].Version) {
				if len(args) > 0 && args[0] == name {
					args[0], used = path, true
				}
			}
		}
		if !used {
			return fmt.Errorf("--program %s: no tracker of the plan starts a program of that name", pair)
		}
	}
	return nil
}
