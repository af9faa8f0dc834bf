package bench

import (
	"fmt"
	"os"
	"strings"

	"spate/internal/tomlfile"
)

// The most that a plan asks for.
const (
	maxRounds  = 1000
	maxSeconds = 86400
	maxFill    = 1_000_000_000
	maxRate    = 1e9
)

// LoadPlan reads a plan. All that is wrong with it is in the error, each with its
// line.
func LoadPlan(path string) (*Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p := &Plan{ServerCPUs: "0", GeneratorCPUs: "1", Rounds: 5, Seconds: 5, Warmup: 1}
	source, wrong := tomlfile.Decode(path, b, p)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	if err := source.Merge(nil, p.validate()).Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// problems collects what is wrong with a plan.
type problems struct{ tomlfile.Problems }

func (p *problems) between(key string, value, low, high int) {
	if value < low || value > high {
		p.Add(key, "needs a number from %d to %d", low, high)
	}
}

func (p *problems) cpus(key, list string) {
	if _, err := parseCPUs(list); err != nil {
		p.Add(key, "%v", err)
	}
}

// name holds the name of a tracker or workload against those before it. It
// becomes part of file names.
func (p *problems) name(key, name string, taken map[string]bool) {
	switch {
	case name == "" || strings.ContainsAny(name, "/\\,|\x00\n"):
		p.Add(key, "needs a name without slashes, commas and bars")
	case taken[name]:
		p.Add(key, "there is another one of that name")
	}
	taken[name] = true
}

func (p *Plan) validate() tomlfile.Problems {
	var wrong problems
	wrong.between("rounds", p.Rounds, 1, maxRounds)
	wrong.between("seconds", p.Seconds, 1, maxSeconds)
	wrong.between("warmup", p.Warmup, 0, maxSeconds)
	wrong.cpus("server_cpus", p.ServerCPUs)
	wrong.cpus("generator_cpus", p.GeneratorCPUs)
	if len(p.Trackers) == 0 || len(p.Workloads) == 0 {
		wrong.Add("", "at least one [[trackers]] and one [[workloads]] are needed")
	}
	workloads, trackers := map[string]bool{}, map[string]bool{}
	for i := range p.Workloads {
		w := &p.Workloads[i]
		at := fmt.Sprintf("workloads[%d].", i)
		wrong.name(at+"name", w.Name, workloads)
		if len(w.ServerCPUs) == 0 {
			w.ServerCPUs = []string{p.ServerCPUs}
		}
		for _, list := range w.ServerCPUs {
			wrong.cpus(at+"server_cpus", list)
		}
		wrong.between(at+"fill", w.Fill, 0, maxFill)
		if w.Memory && w.Fill == 0 {
			wrong.Add(at+"memory", "needs fill, the number of announces to fill the tracker with")
		}
		for _, rate := range w.Rates {
			if !(rate > 0 && rate <= maxRate) {
				wrong.Add(at+"rates", "%v: needs numbers of requests a second above 0", rate)
				break
			}
		}
	}
	for i := range p.Workloads {
		wrong.Problems = append(wrong.Problems, p.Workloads[i].Load.Problems(fmt.Sprintf("workloads[%d].load.", i))...)
	}
	for i := range p.Trackers {
		p.Trackers[i].validate(&wrong, fmt.Sprintf("trackers[%d].", i), trackers, workloads)
	}
	return wrong.Problems
}

func (t *Tracker) validate(wrong *problems, at string, trackers, workloads map[string]bool) {
	wrong.between(at+"scrapes_per_second", t.ScrapesPerSecond, 0, 1000)
	wrong.name(at+"name", t.Name, trackers)
	if len(t.Processes) == 0 {
		wrong.Add(at+"processes", "is missing: needs a list of commands, such as [[\"spate\", \"-c\", \"{config}\"]]")
	}
	for _, args := range t.Processes {
		if len(args) == 0 || args[0] == "" {
			wrong.Add(at+"processes", "needs a program in each list")
			break
		}
	}
	for _, w := range t.Workloads {
		if !workloads[w] {
			wrong.Add(at+"workloads", "names %q: there is no such workload", w)
		}
	}
	for _, e := range t.Env {
		if !strings.Contains(e, "=") {
			wrong.Add(at+"env", "%q: needs NAME=VALUE", e)
		}
	}
}
