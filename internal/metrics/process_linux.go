package metrics

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// process collects what client_golang's process collector does, under the same
// names, but from files that it keeps open: that one opens them at each scrape,
// so that a chroot silences it.
type process struct {
	stat procFile
	fds  *os.File // the directory of descriptors, nil where it cannot be had
	boot time.Time

	cpu, rss, virtual, start, openFDs, maxFDs *prometheus.Desc
}

func newProcess() *process {
	desc := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	p := &process{
		stat:    openProc("/proc/self/stat"),
		boot:    bootTime(),
		cpu:     desc("process_cpu_seconds_total", "Processor time of the process, user and system."),
		rss:     desc("process_resident_memory_bytes", "Memory of the process that is in RAM."),
		virtual: desc("process_virtual_memory_bytes", "Memory that the process has mapped."),
		start:   desc("process_start_time_seconds", "When the process started, as Unix time."),
		openFDs: desc("process_open_fds", "File descriptors that are open."),
		maxFDs:  desc("process_max_fds", "File descriptors that may be open."),
	}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		p.fds = dir
	}
	return p
}

// Describe implements prometheus.Collector.
func (p *process) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.cpu, p.rss, p.virtual, p.start, p.openFDs, p.maxFDs} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (p *process) Collect(ch chan<- prometheus.Metric) {
	if s, ok := parseStat(p.stat.read()); ok {
		ch <- constMetric(p.cpu, counter, s.cpu.Seconds(), nil)
		ch <- constMetric(p.rss, gauge, float64(s.rssPages)*float64(os.Getpagesize()), nil)
		ch <- constMetric(p.virtual, gauge, float64(s.virtual), nil)
		if !p.boot.IsZero() {
			ch <- constMetric(p.start, gauge, unixSeconds(p.boot.Add(s.sinceBoot)), nil)
		}
	}
	if n, ok := p.countFDs(); ok {
		ch <- constMetric(p.openFDs, gauge, float64(n), nil)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		ch <- constMetric(p.maxFDs, gauge, float64(limit.Cur), nil)
	}
}

// countFDs counts the open descriptors. It opens the directory again by its
// descriptor, since reading one through a shared offset would let two scrapes
// disturb each other.
func (p *process) countFDs() (n int, ok bool) {
	if p.fds == nil {
		return 0, false
	}
	fd, err := unix.Openat(int(p.fds.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	dir := os.NewFile(uintptr(fd), "/proc/self/fd")
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, false
	}
	return len(names) - 1, true // dir itself is one of them
}

// Close gives the files back.
func (p *process) Close() error {
	err := p.stat.close()
	if p.fds != nil {
		err = errors.Join(err, p.fds.Close())
	}
	return err
}

// A processStat is the part of /proc/self/stat that is shown (proc(5)).
type processStat struct {
	cpu       time.Duration // fields 14 and 15
	sinceBoot time.Duration // field 22
	virtual   uint64        // bytes, field 23
	rssPages  uint64        // field 24
}

// tick is the unit of times in /proc: USER_HZ is 100 on all that Go runs on.
const tick = time.Second / 100

// parseStat reads the line of /proc/self/stat. Its second field, the name of
// the program, is in parentheses and may hold anything.
func parseStat(line []byte) (s processStat, ok bool) {
	const first, utime, stime, start, virtual, rss = 3, 14, 15, 22, 23, 24
	fields := strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
	if len(fields) <= rss-first {
		return processStat{}, false
	}
	field := func(i int) uint64 {
		n, err := strconv.ParseUint(fields[i-first], 10, 64)
		ok = ok && err == nil
		return n
	}
	ok = true
	s = processStat{
		cpu:       time.Duration(field(utime)+field(stime)) * tick,
		sinceBoot: time.Duration(field(start)) * tick,
		virtual:   field(virtual),
		rssPages:  field(rss),
	}
	return s, ok
}

// bootTime returns when the system started, zero where it does not say.
func bootTime() time.Time {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(stat)) {
		if after, found := strings.CutPrefix(line, "btime "); found {
			if n, err := strconv.ParseInt(strings.TrimSpace(after), 10, 64); err == nil {
				return time.Unix(n, 0)
			}
		}
	}
	return time.Time{}
}
