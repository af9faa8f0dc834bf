// Package lab builds small networks of Linux network namespaces on one machine,
// runs programs in them, and cleans up after itself. Nothing in it touches the
// machine's own network.
//
// A network is a bridge in a namespace of its own; each host is a namespace with
// one interface on that bridge and addresses out of 10.77.0.0/16 and fd77::/64, and
// those that a test adds. The same addresses exist in every network at once, without
// meeting.
package lab

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// namePrefix starts the name of every namespace that a lab makes. The process id
// of the test follows, so that a later run can tell which ones an aborted run
// left behind.
const namePrefix = "spate-e2e-"

// A Network is a bridge that hosts can be put on.
type Network struct {
	name  string // of the bridge's namespace, and the prefix of its hosts'
	hosts atomic.Int32
}

// Families says which addresses a host gets.
type Families uint8

// Families of addresses; Dual is both.
const (
	IPv4 Families = 1 << iota
	IPv6
	Dual = IPv4 | IPv6
)

// String returns the name that subtests carry.
func (f Families) String() string {
	return [...]string{"none", "IPv4", "IPv6", "dual"}[f]
}

// networks numbers the networks of this process.
var networks atomic.Int32

// NewNetwork makes an empty network, which goes when the test ends. It fails the
// test where namespaces cannot be made.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root")
	}
	n := &Network{name: fmt.Sprintf("%s%d-%d", namePrefix, os.Getpid(), networks.Add(1))}
	addNamespace(t, n.name)
	// The bridge's own addresses are the hosts' default gateway. It forwards
	// nothing; but clients take a host without a default route for one that is
	// not on the internet, and libtorrent then announces differently.
	ip(t, n.name, "link set lo up", "link add br0 type bridge forward_delay 0", "link set br0 up",
		"addr add 10.77.255.254/16 dev br0", "addr add fd77::ffff/64 dev br0 nodad")
	return n
}

// RemoveStale deletes the namespaces of test processes that no longer run.
func RemoveStale() {
	entries, err := os.ReadDir("/run/netns")
	if err != nil {
		return // no namespace was ever made here
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), namePrefix)
		if !ours {
			continue
		}
		id, _, _ := strings.Cut(rest, "-")
		if _, err := os.Stat("/proc/" + id); os.IsNotExist(err) {
			_ = exec.Command("ip", "netns", "delete", e.Name()).Run()
		}
	}
}

// A Host is a network namespace with one interface on its network's bridge.
type Host struct {
	Name string     // what the test calls it
	IPv4 netip.Addr // the zero Addr where the host has none
	IPv6 netip.Addr

	namespace string
}

// NewHost adds a host with its own addresses; it goes when the test ends.
func (n *Network) NewHost(t testing.TB, name string, families Families) *Host {
	t.Helper()
	id := int(n.hosts.Add(1))
	h := &Host{Name: name, namespace: n.name + "-" + strconv.Itoa(id)}
	addNamespace(t, h.namespace)
	port := "h" + strconv.Itoa(id)
	ip(t, n.name, fmt.Sprintf("link add %s type veth peer name eth0 netns %s", port, h.namespace),
		fmt.Sprintf("link set %s master br0 up", port))
	commands := []string{"link set lo up"}
	if families&IPv4 != 0 {
		h.IPv4 = netip.AddrFrom4([4]byte{10, 77, byte(id / 250), byte(id%250 + 1)})
		commands = append(commands, fmt.Sprintf("addr add %s/16 dev eth0", h.IPv4))
	}
	commands = append(commands, "link set eth0 up")
	if families&IPv4 != 0 {
		commands = append(commands, "route add default via 10.77.255.254")
	}
	if families&IPv4 == 0 {
		// Programs that ask getaddrinfo for an address to listen on get no IPv4 one
		// on a host without any, not even loopback, and do without their control
		// port. This address leads nowhere.
		commands = append(commands, "addr add 192.0.2.1/32 dev lo")
	}
	if families&IPv6 != 0 {
		h.IPv6 = netip.MustParseAddr(fmt.Sprintf("fd77::%x", id))
		commands = append(commands, fmt.Sprintf("addr add %s/64 dev eth0 nodad", h.IPv6), "-6 route add default via fd77::ffff")
	}
	ip(t, h.namespace, commands...)
	return h
}

// AddAddresses gives the host further addresses. Those of its network that lie
// within a prefix reach each other.
func (h *Host) AddAddresses(t testing.TB, addresses ...netip.Prefix) {
	t.Helper()
	for _, a := range addresses {
		option := ""
		if a.Addr().Is6() {
			option = " nodad"
		}
		ip(t, h.namespace, fmt.Sprintf("addr add %s dev eth0%s", a, option))
	}
}

// Addr returns the host's address of one family.
func (h *Host) Addr(family Families) netip.Addr {
	if family == IPv6 {
		return h.IPv6
	}
	return h.IPv4
}

func addNamespace(t testing.TB, name string) {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("making network namespace %s: %v: %s", name, err, out)
	}
	t.Cleanup(func() {
		Eventually(t, stopDeadline, "end of what the test has started", func() error { return empty(name) })
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("deleting network namespace %s: %v: %s", name, err, out)
		}
	})
}

// empty reports which processes a namespace still has.
func empty(namespace string) error {
	pids, err := exec.Command("ip", "netns", "pids", namespace).Output()
	if err != nil {
		return fmt.Errorf("listing the processes in network namespace %s: %w", namespace, err)
	}
	for _, pid := range strings.Fields(string(pids)) {
		if command, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil && len(command) > 0 {
			return fmt.Errorf("process %s: %q", pid, bytes.TrimRight(command, "\x00"))
		}
	}
	return nil
}

// ip runs commands of the ip program, one each, inside a namespace.
func ip(t testing.TB, namespace string, commands ...string) {
	t.Helper()
	for _, command := range commands {
		args := append([]string{"-netns", namespace}, strings.Fields(command)...)
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}
