package bench

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"spate/internal/load"
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
	doc, err := load.ParseTOML(b)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", path, err)
	}
	p := &Plan{ServerCPUs: "0", GeneratorCPUs: "1", Rounds: 5, Seconds: 5, Warmup: 1}
	if err := doc.Into(p); err != nil {
		return nil, fmt.Errorf("plan %s:\n%w", path, err)
	}
	errs := p.validate()
	for i := range p.Workloads {
		errs = append(errs, p.Workloads[i].readLoad(doc, i))
	}
	if errors.Join(errs...) != nil {
		return nil, fmt.Errorf("plan %s:\n%w", path, doc.Locate(errors.Join(errs...)))
	}
	return p, nil
}

// readLoad turns the workload's table into spate-load's configuration.
func (w *Workload) readLoad(doc *load.Document, i int) error {
	w.config = load.DefaultConfig()
	return doc.Sub(fmt.Sprintf("workloads[%d].load", i), w.Load).Config(&w.config)
}

// problems collects what is wrong with a plan.
type problems []error

func (p *problems) add(key, format string, args ...any) {
	*p = append(*p, &load.Problem{Key: key, Text: fmt.Sprintf(format, args...)})
}

func (p *problems) between(key string, value, low, high int) {
	if value < low || value > high {
		p.add(key, "= %d: needs a number from %d to %d", value, low, high)
	}
}

func (p *problems) cpus(key, list string) {
	if _, err := parseCPUs(list); err != nil {
		p.add(key, "= %q: %v", list, err)
	}
}

// name holds the name of a tracker or workload against those before it. It
// becomes part of file names.
func (p *problems) name(key, name string, taken map[string]bool) {
	switch {
	case name == "" || strings.ContainsAny(name, "/\\,|\x00\n"):
		p.add(key, "= %q: needs a name without slashes, commas and bars", name)
	case taken[name]:
		p.add(key, "= %q: there is another one of that name", name)
	}
	taken[name] = true
}

func (p *Plan) validate() problems {
	var wrong problems
	wrong.between("rounds", p.Rounds, 1, maxRounds)
	wrong.between("seconds", p.Seconds, 1, maxSeconds)
	wrong.between("warmup", p.Warmup, 0, maxSeconds)
	wrong.cpus("server_cpus", p.ServerCPUs)
	wrong.cpus("generator_cpus", p.GeneratorCPUs)
	if len(p.Trackers) == 0 || len(p.Workloads) == 0 {
		wrong.add("", "at least one [[trackers]] and one [[workloads]] are needed")
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
			wrong.add(at+"memory", "= true: needs fill, the number of announces to fill the tracker with")
		}
		for _, rate := range w.Rates {
			if !(rate > 0 && rate <= maxRate) {
				wrong.add(at+"rates", "= %v: needs numbers of requests a second above 0", w.Rates)
				break
			}
		}
	}
	for i := range p.Trackers {
		p.Trackers[i].validate(&wrong, fmt.Sprintf("trackers[%d].", i), trackers, workloads)
	}
	return wrong
}

func (t *Tracker) validate(wrong *problems, at string, trackers, workloads map[string]bool) {
	wrong.between(at+"scrapes_per_second", t.ScrapesPerSecond, 0, 1000)
	wrong.name(at+"name", t.Name, trackers)
	if len(t.Processes) == 0 {
		wrong.add(at+"processes", "is missing: needs a list of commands, such as [[\"spate\", \"-c\", \"{config}\"]]")
	}
	for _, args := range t.Processes {
		if len(args) == 0 || args[0] == "" {
			wrong.add(at+"processes", "= %v: needs a program in each list", t.Processes)
			break
		}
	}
	for _, w := range t.Workloads {
		if !workloads[w] {
			wrong.add(at+"workloads", "names %q: there is no such workload", w)
		}
	}
	for _, e := range t.Env {
		if !strings.Contains(e, "=") {
			wrong.add(at+"env", "= %q: needs NAME=VALUE", e)
		}
	}
}
