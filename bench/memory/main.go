// Command memory prints how much memory the swarm store takes, as a Markdown
// table: the resident size of a whole process that holds nothing else, after a
// fill, after an hour's churn and after everything has expired, against the
// budget of docs/performance.md. Each row runs in a process of its own. It fails
// where memory, or the processor time of a collection, is over the budget; how long
// a collection stops the world is for a machine without other users to say.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unsafe"
)

const mib = 1 << 20

// A row is one filling of the store.
type row struct {
	name            string
	torrents, peers int
	six             bool
	flat            bool // every torrent as large as the others; else index = T·u³
}

var rows = []row{
	{name: "200 k torrents, 1 M peers", torrents: 200_000, peers: 1_000_000},
	{name: "the same, IPv6", torrents: 200_000, peers: 1_000_000, six: true},
	{name: "1 M torrents, 5 M peers", torrents: 1_000_000, peers: 5_000_000},
	{name: "the same, IPv6", torrents: 1_000_000, peers: 5_000_000, six: true},
	{name: "1 M torrents of one peer", torrents: 1_000_000, peers: 1_000_000, flat: true},
	{name: "1 torrent of 1 M peers", torrents: 1, peers: 1_000_000, flat: true},
}

func main() {
	only := flag.Int("row", -1, "measure this row alone, in this process")
	flag.Parse()
	if err := run(*only); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run(only int) error {
	if only >= 0 {
		line, gc, err := measure(rows[only])
		fmt.Println(line)
		return errors.Join(err, within("ns of processor time a collection", int64(gc.cpu), int64(maxGC)))
	}
	fmt.Println("| store | torrents | peers | filled MiB | per peer | budget MiB | after an hour MiB | its budget | expired MiB | empty MiB | forced GC, CPU | longest stop |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
	over := 0
	for i := range rows {
		cmd := exec.Command(os.Args[0], "-row", fmt.Sprint(i))
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		fmt.Print(string(out))
		if err != nil {
			over++
		}
	}
	if over > 0 {
		return fmt.Errorf("%d of %d rows failed", over, len(rows))
	}
	return nil
}

// measure fills, churns and empties a store and returns the table's line, and what
// a collection costs. Its error says which memory is over the budget.
func measure(w row) (line string, gc collection, err error) {
	f, err := newFiller(w)
	if err != nil {
		return "", gc, err
	}
	// The list of peers is the test's own, so it does not count.
	own := int64(len(f.peers)) * int64(unsafe.Sizeof(peer{}))
	empty := resident() - own
	f.fill()
	filled, afterFill := resident()-own, f.store.Stats()
	gc = forcedGC()
	f.churn(time.Hour)
	churned, afterChurn := resident()-own, f.store.Stats()
	f.expire()
	expired, afterExpiry := resident()-own, f.store.Stats()
	if n := afterExpiry.Peers4 + afterExpiry.Peers6; n > 0 {
		return "", gc, fmt.Errorf("%s: %d peers are left after everything expired", w.name, n)
	}
	if err := f.store.CheckInvariants(); err != nil {
		return "", gc, fmt.Errorf("%s: %w", w.name, err)
	}
	peers := afterFill.Peers4 + afterFill.Peers6
	cells := []string{
		w.name, fmt.Sprint(afterFill.Torrents), fmt.Sprint(peers),
		inMiB(filled), fmt.Sprintf("%.1f", float64(filled-empty)/float64(peers)), inMiB(budget(afterFill)),
		inMiB(churned), inMiB(budget(afterChurn)), inMiB(expired), inMiB(empty),
		gc.cpu.String(), gc.longest.String(),
	}
	return "| " + strings.Join(cells, " | ") + " |", gc, errors.Join(
		within("after the fill", filled, budget(afterFill)),
		within("after an hour", churned, budget(afterChurn)),
		within("after everything expired", expired, 2*empty+stormSlack),
	)
}

// within returns an error where got is more than most.
func within(what string, got, most int64) error {
	if got > most {
		return fmt.Errorf("%s: %d, over its budget of %d", what, got, most)
	}
	return nil
}

func inMiB(n int64) string { return fmt.Sprintf("%.1f", float64(n)/mib) }
