package opstest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"spate/internal/config"
)

// TestPages runs the commands of every page that operators read, one after the
// other, each page in a directory of its own. Commands that start the tracker
// do so on free ports; in the others its ports stand for 3000 and 3001. Where
// the page shows what is printed, that has to be printed, but for what differs
// from one machine and one run to the next (shape). A block that cannot run has
// a mark before it that says why:
//
//	<!-- not run: the reason -->
//
// Commands of make are only looked up: .ci/run is what runs them.
func TestPages(t *testing.T) {
	for _, path := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, path)
			for _, b := range blocks(read(t, filepath.Join(root, path))) {
				switch {
				case b.language == "toml":
					s.load(&b)
				case b.notRun != "" || !b.isCommands():
				default:
					for _, c := range b.commands() {
						s.command(&c)
					}
				}
			}
		})
	}
}

// A shell runs the commands of one page.
type shell struct {
	t       *testing.T
	page    string
	dir     string
	admin   string // stands for 127.0.0.1:3001
	tracker *tracker
	make    string // the Makefile
}

func newShell(t *testing.T, page string) *shell {
	s := &shell{t: t, page: page, dir: t.TempDir(), admin: quietAddress(t), make: read(t, filepath.Join(root, "Makefile"))}
	if err := os.Symlink(repository(t, "deploy"), filepath.Join(s.dir, "deploy")); err != nil {
		t.Fatal(err)
	}
	return s
}

// load reads a block as a configuration of the tracker.
func (s *shell) load(b *block) {
	path := filepath.Join(s.t.TempDir(), "page.toml")
	write(s.t, path, strings.Join(b.lines, "\n")+"\n")
	if _, err := config.Load(path); err != nil {
		s.t.Errorf("%s:%d: %v", s.page, b.line, err)
	}
}

// starts matches the commands that start the tracker.
var starts = regexp.MustCompile(`^(?:go run \./cmd/spate|spate)(?: -c (\S+))?$`)

// commandTime is what a command of the docs may take. promtool needs seconds of CPU
// time, of which a busy machine may have few.
const commandTime = 3 * time.Minute

// command runs one command.
func (s *shell) command(c *command) {
	s.t.Helper()
	at := fmt.Sprintf("%s:%d: %s", s.page, c.line, c.text)
	if target, isMake := strings.CutPrefix(c.text, "make "); isMake {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(target) + `:`).MatchString(s.make) {
			s.t.Errorf("%s: the Makefile has no such target", at)
		}
		return
	}
	if m := starts.FindStringSubmatch(c.text); m != nil {
		s.compare(at, c, s.start(m[1]))
		return
	}
	s.free()
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+s.here(c.text))
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "PATH="+binDir+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	killer := time.AfterFunc(commandTime, func() {
		s.t.Errorf("%s: still runs after %v", at, commandTime)
		_ = cmd.Process.Kill() // it may end first
	})
	defer killer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Errorf("%s: %v\n%s", at, err, out)
		return
	}
	s.compare(at, c, string(out))
}

// start starts the tracker and returns its log. An empty path is no file.
func (s *shell) start(path string) string {
	s.t.Helper()
	if path == "" {
		path = "defaults.toml"
		write(s.t, filepath.Join(s.dir, path), "[network]\naddress_ipv4 = \"0.0.0.0:3000\"\naddress_ipv6 = \"[::]:3000\"\n\n[admin]\naddress = \"127.0.0.1:3001\"\n")
	}
	if s.tracker != nil {
		s.tracker.stop()
	}
	s.free()
	s.tracker = startTracker(s.t, s.dir, path)
	return read(s.t, s.tracker.log)
}

// free changes the fixed ports of the page's configuration files to free ones.
func (s *shell) free() {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.dir, "*.toml"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range paths {
		text := strings.ReplaceAll(read(s.t, path), `:3000"`, `:0"`)
		write(s.t, path, strings.ReplaceAll(text, "127.0.0.1:3001", s.admin))
	}
}

// here turns a command into one that reaches this page's tracker, and soon
// ends.
func (s *shell) here(text string) string {
	var port4, port6 string
	if s.tracker != nil {
		port4, port6 = s.tracker.port4, s.tracker.port6
	}
	text = regexp.MustCompile(`go run \./cmd/(\S+)`).ReplaceAllString(text, "$1")
	text = regexp.MustCompile(`--duration \d+`).ReplaceAllString(text, "--duration 1 --server 127.0.0.1:3000")
	return strings.NewReplacer("127.0.0.1:3000", "127.0.0.1:"+port4, "[::1]:3000", "[::1]:"+port6, "127.0.0.1:3001", s.admin).Replace(text)
}

// varies are the parts of an output that differ between machines and runs, and
// what a page may write for them.
var varies = []struct {
	pattern *regexp.Regexp
	shape   string
}{
	{regexp.MustCompile(`time=\S+`), "time=…"},
	{regexp.MustCompile(`8:intervali\d+e`), "8:intervali…e"},
	{regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+`), "IPv4:PORT"},
	{regexp.MustCompile(`\[[0-9a-f:]*\]:\d+`), "[IPv6]:PORT"},
	{regexp.MustCompile(`\([0-9a-f]{7,}\)|\(unknown\)`), "(COMMIT)"},
}

// shape replaces what varies.
func shape(text string) string {
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.shape)
	}
	return strings.TrimSpace(text)
}

// compare wants the lines of a transcript in an output, in their order.
func (s *shell) compare(at string, c *command, out string) {
	s.t.Helper()
	if !c.shown {
		return
	}
	rest := strings.Split(shape(out), "\n")
	for _, line := range c.prints {
		want := shape(line)
		found := false
		for len(rest) > 0 && !found {
			found, rest = strings.TrimSpace(rest[0]) == want, rest[1:]
		}
		if !found {
			s.t.Errorf("%s: the page shows\n\t%s\nwhich is not printed:\n%s", at, line, out)
			return
		}
	}
}

// TestKeys: each word on a page that looks like a key of the configuration is
// one, or one of another program's.
func TestKeys(t *testing.T) {
	known := map[string]bool{}
	for line := range strings.Lines(run(t, ".", filepath.Join(binDir, "spate"), "-p")) {
		if key := submatch(line, `^#?([a-z][a-z0-9_]*) = `); key != "" {
			known[key] = true
		}
	}
	setting := regexp.MustCompile("`(?:\\[[a-z_.]+\\] )?([a-z0-9]+(?:_[a-z0-9]+)+)(?: = [^`]*)?`")
	for _, path := range documents(t) {
		for i, line := range strings.Split(prose(read(t, filepath.Join(root, path))), "\n") {
			if path == "docs/migrating.md" && strings.HasPrefix(line, "|") {
				_, line, _ = strings.Cut(line[1:], "|") // the other tracker's keys
			}
			for _, m := range setting.FindAllStringSubmatch(line, -1) {
				if key := m[1]; !known[key] && !ourMetric.MatchString(key) && !foreign[key] {
					t.Errorf("%s:%d: %s is no key of the configuration", path, i+1, key)
				}
			}
		}
	}
}

// foreign are words of the protocol, of the kernel and of other programs.
var foreign = map[string]bool{
	"info_hash": true, "peer_id": true, "min_request_interval": true,
	"tcp_tw_reuse": true, "tcp_max_syn_backlog": true, "netdev_max_backlog": true, "tcp_syncookies": true,
	"ip_local_port_range": true, "nf_conntrack_max": true, "nf_conntrack_tcp_timeout_time_wait": true,
	"busy_poll": true, "busy_read": true, "tcp_fin_timeout": true, "netdev_budget": true, "tcp_tw_recycle": true,
	"proxy_pass": true, "proxy_set_header": true, "proxy_protocol_v2": true, "x_forwarded_for": true,
	"aquatic_http": true,
	"num_workers":  true, // of spate-load
}
