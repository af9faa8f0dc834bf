package bench

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// findPrograms reports the programs that this machine does not have.
func (p *Plan) findPrograms() error {
	var missing []error
	for i := range p.Trackers {
		t := &p.Trackers[i]
		if !slices.ContainsFunc(p.Workloads, func(w Workload) bool { return t.does(&w) }) {
			continue
		}
		for _, args := range t.Processes {
			if strings.Contains(args[0], "{") {
				continue // it will only be known when it is started
			}
			if _, err := exec.LookPath(args[0]); err != nil {
				missing = append(missing, fmt.Errorf("tracker %s: %s is not there (%w): put it on the PATH, say where it is with --program %s=PATH, or leave the tracker out with --trackers",
					t.Name, args[0], errors.Unwrap(err), args[0]))
			}
		}
	}
	return errors.Join(missing...)
}

// tryCPUs reports whether this machine lets a process run on a list of
// processors.
func tryCPUs(list string) error {
	cpus, err := parseCPUs(list)
	if err != nil {
		return err
	}
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return err
	}
	for _, cpu := range cpus {
		if !allowed.IsSet(cpu) {
			return fmt.Errorf("server_cpus %q: this process may not run on processor %d", list, cpu)
		}
	}
	return nil
}

// versionWithin is how long a program may take to say its version.
const versionWithin = 10 * time.Second

// versions returns what each tracker's programs are.
func (p *Plan) versions(ctx context.Context) map[string]string {
	all := map[string]string{}
	for i := range p.Trackers {
		t := &p.Trackers[i]
		var each []string
		for n, args := range t.Processes {
			if n == 0 && len(t.Version) > 0 {
				if v := firstLine(ctx, t.Version); v != "" {
					each = append(each, v)
					continue
				}
			}
			each = append(each, identify(args[0]))
		}
		all[t.Name] = strings.Join(each, "; ")
	}
	return all
}

// firstLine returns the first line that a command prints.
func firstLine(ctx context.Context, args []string) string {
	ctx, cancel := context.WithTimeout(ctx, versionWithin)
	defer cancel()
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return ""
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	return strings.TrimSpace(string(line))
}

// identify returns which version a program is by what Go's linker noted in it, or
// its checksum.
func identify(program string) string {
	name := filepath.Base(program)
	path, err := exec.LookPath(program)
	if err != nil {
		return name
	}
	if info, err := buildinfo.ReadFile(path); err == nil {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return fmt.Sprintf("%s %s, %s", name, s.Value, info.GoVersion)
			}
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return name
	}
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%s sha256:%s", name, hex.EncodeToString(sum[:8]))
}
