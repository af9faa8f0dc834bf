package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// Addresses that are neither private nor a proxy's, so that limits hold for them.
// The tracker and its clients are neighbours.
var (
	limitedTracker = map[lab.Families]netip.Prefix{
		lab.IPv4: netip.MustParsePrefix("198.51.100.254/24"), lab.IPv6: netip.MustParsePrefix("2001:db8::1/32"),
	}
	// A customer's addresses share a budget.
	customers = map[lab.Families][2][]netip.Prefix{
		lab.IPv4: {{netip.MustParsePrefix("198.51.100.1/24")}, {netip.MustParsePrefix("198.51.100.2/24")}},
		lab.IPv6: {
			{netip.MustParsePrefix("2001:db8:0:1::1/32"), netip.MustParsePrefix("2001:db8:0:1:ffff::2/32"), netip.MustParsePrefix("2001:db8:0:1::3/32")},
			{netip.MustParsePrefix("2001:db8:0:2::1/32")},
		},
	}
)

// A limitedLab is a tracker with limits and a host with two customers' addresses.
type limitedLab struct {
	tracker, clients *lab.Host
	spate            *lab.Process
	to               netip.AddrPort
	customers        [2][]netip.Addr
}

func newLimitedLab(t *testing.T, family lab.Families, config string) *limitedLab {
	t.Helper()
	network := lab.NewNetwork(t)
	l := &limitedLab{tracker: network.NewHost(t, "tracker", lab.Dual), clients: network.NewHost(t, "clients", lab.Dual)}
	l.tracker.AddAddresses(t, limitedTracker[family])
	l.to = netip.AddrPortFrom(limitedTracker[family].Addr(), trackerPort)
	for i, addresses := range customers[family] {
		l.clients.AddAddresses(t, addresses...)
		for _, a := range addresses {
			l.customers[i] = append(l.customers[i], a.Addr())
		}
	}
	l.spate = startSpate(t, l.tracker, "socket_workers = 2\n[metrics]\nrun_prometheus_endpoint = true\nprometheus_endpoint_address = \"127.0.0.1:9000\"\n"+config)
	answers(t, l.tracker, announceURL("http", l.tracker.IPv4, trackerPort), l.spate)
	return l
}

// refused returns how often one limit has refused.
func (l *limitedLab) refused(t *testing.T, limit string) int {
	t.Helper()
	metrics, err := swarm.Get(l.tracker.HTTPClient(), "http://127.0.0.1:9000/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return int(sampleOf(t, metrics, fmt.Sprintf(`spate_limit_refusals_total\{limit="%s"\}`, limit)))
}

// errClosed says that the tracker has closed a connection without an answer.
var errClosed = errors.New("closed without an answer")

// A limitedClient is a kept connection.
type limitedClient struct {
	net.Conn
	in *bufio.Reader
}

// dial connects from an address until the test ends.
func (l *limitedLab) dial(t *testing.T, from netip.Addr) *limitedClient {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
	defer cancel()
	c, err := l.clients.DialFrom(ctx, from, l.to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(45 * time.Second))
	return &limitedClient{Conn: c, in: bufio.NewReader(c)}
}

// announce sends an announce and returns the reply's body, or errClosed.
func (c *limitedClient) announce(headers ...string) (string, error) {
	_, err := fmt.Fprintf(c, "GET /announce?info_hash=AAAAAAAAAAAAAAAAAAAA&peer_id=-SP0000-limitlimitli&port=6881&left=1 HTTP/1.1\r\nHost: x\r\n%s\r\n", strings.Join(headers, ""))
	if err != nil {
		return "", errClosed
	}
	body, err := readReply(c.in)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "", err
	}
	if err != nil {
		return "", errClosed
	}
	return body, nil
}

// served wants the announce of a new connection from an address to be answered.
func (l *limitedLab) served(t *testing.T, from netip.Addr) *limitedClient {
	t.Helper()
	c := l.dial(t, from)
	if body, err := c.announce(); err != nil || strings.Contains(body, "failure") {
		t.Fatalf("an announce from %s got %q: %v", from, body, err)
	}
	return c
}

func eachFamily(t *testing.T, f func(t *testing.T, family lab.Families)) {
	for _, family := range []lab.Families{lab.IPv4, lab.IPv6} {
		t.Run(family.String(), func(t *testing.T) {
			t.Parallel()
			f(t, family)
		})
	}
}

// TestLimitOfConnections: the addresses of one /64 share what may be open at
// once. What is more is closed at once, and nobody else is worse off.
func TestLimitOfConnections(t *testing.T) {
	t.Parallel()
	eachFamily(t, func(t *testing.T, family lab.Families) {
		const most = 3
		l := newLimitedLab(t, family, fmt.Sprintf("[limits]\nmax_connections_per_ip = %d\n", most))
		one, other := l.customers[0], l.customers[1]
		var open []*limitedClient
		for i := range most {
			open = append(open, l.served(t, one[i%len(one)]))
		}
		last := one[len(one)-1]
		if body, err := l.dial(t, last).announce(); !errors.Is(err, errClosed) {
			t.Errorf("connection %d of one customer got %q: %v", most+1, body, err)
		}
		for range most {
			l.served(t, other[0])
		}
		if n := l.refused(t, "address_connections"); n != 1 {
			t.Errorf("%d connections are counted as refused, want 1", n)
		}
		for i, c := range open {
			if body, err := c.announce(); err != nil {
				t.Errorf("open connection %d got %q: %v", i, body, err)
			}
		}
		_ = open[0].Close()
		lab.Eventually(t, 45*time.Second, "place for another connection", func() error {
			_, err := l.dial(t, last).announce()
			return err
		}, l.spate)
	})
}

// TestLimitOfNewConnections: the same for connections of a second, whose burst
// comes back in time.
func TestLimitOfNewConnections(t *testing.T) {
	t.Parallel()
	eachFamily(t, func(t *testing.T, family lab.Families) {
		const burst = 10
		l := newLimitedLab(t, family, fmt.Sprintf("[limits]\nconnections_per_second_per_ip = 1\nconnection_burst_per_ip = %d\n", burst))
		one, other := l.customers[0], l.customers[1]
		n := spend(t, burst, func(i int) bool {
			c := l.dial(t, one[i%len(one)])
			defer c.Close()
			body, err := c.announce()
			if err != nil && !errors.Is(err, errClosed) {
				t.Fatalf("connection %d got %q: %v", i, body, err)
			}
			return err == nil
		})
		l.served(t, other[0])
		if got := l.refused(t, "connection_rate"); got != 1 {
			t.Errorf("%d connections are counted as refused after %d that were served, want 1", got, n)
		}
		lab.Eventually(t, 45*time.Second, "connection a second later", func() error {
			_, err := l.dial(t, one[0]).announce()
			return err
		}, l.spate)
	})
}

// TestLimitOfRequests: an announce over the rate gets a failure that says when to
// come back, on a connection that goes on.
func TestLimitOfRequests(t *testing.T) {
	t.Parallel()
	eachFamily(t, func(t *testing.T, family lab.Families) {
		const burst = 10
		l := newLimitedLab(t, family, fmt.Sprintf("[limits]\nrequests_per_second_per_ip = 1\nrequest_burst_per_ip = %d\n[protocol]\nmin_announce_interval = 840\n", burst))
		one, other := l.customers[0], l.customers[1]
		var clients []*limitedClient
		for _, from := range one {
			clients = append(clients, l.dial(t, from))
		}
		n := spend(t, burst, func(i int) bool { return announceOnce(t, clients[i%len(clients)], 14) })
		l.served(t, other[0])
		if got := l.refused(t, "request_rate"); got != 1 {
			t.Errorf("%d requests are counted as refused after %d that were answered, want 1", got, n)
		}
		lab.Eventually(t, 45*time.Second, "answer a second later", func() error {
			if !announceOnce(t, clients[0], 14) {
				return errors.New("over the rate")
			}
			return nil
		}, l.spate)
	})
}

// TestLimitsBehindProxies: a trusted proxy is not limited, its clients are, each
// for itself. Who is no trusted proxy is limited, whatever it says.
func TestLimitsBehindProxies(t *testing.T) {
	t.Parallel()
	eachFamily(t, func(t *testing.T, family lab.Families) {
		const burst, most = 10, 3
		proxy := customers[family][0][0].Addr()
		l := newLimitedLab(t, family, fmt.Sprintf(`[network]
runs_behind_reverse_proxy = true
trusted_proxies = ["%s"]
[limits]
max_connections_per_ip = %d
connections_per_second_per_ip = 1
connection_burst_per_ip = %d
requests_per_second_per_ip = 1
request_burst_per_ip = %d
[protocol]
min_announce_interval = 840
`, proxy, most, most, burst))
		var pool []*limitedClient
		for range 4 * most {
			pool = append(pool, l.dial(t, proxy))
		}
		// One client, who has a /64, through all of the pool.
		spend(t, burst, func(i int) bool {
			return announceOnce(t, pool[i%len(pool)], 14, fmt.Sprintf("X-Forwarded-For: 2001:db8:0:9::%x\r\n", i+1))
		})
		for i, c := range pool {
			if !announceOnce(t, c, 14, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d\r\n", i+1)) {
				t.Errorf("client %d of the proxy has to pay for another one", i)
			}
		}
		if n := l.refused(t, "address_connections") + l.refused(t, "connection_rate"); n != 0 {
			t.Errorf("%d connections of a trusted proxy were refused", n)
		}
		if n := l.refused(t, "request_rate"); n != 1 {
			t.Errorf("%d requests are counted as refused, want 1", n)
		}
		stranger := l.customers[1][0]
		for range most {
			l.served(t, stranger)
		}
		if body, err := l.dial(t, stranger).announce(fmt.Sprintf("X-Forwarded-For: %s\r\n", proxy)); !errors.Is(err, errClosed) {
			t.Errorf("a connection over a stranger's limit got %q: %v", body, err)
		}
	})
}

// spend uses a burst up that fills by one a second. It returns how often it was
// let in, which has to be the burst, and one for each second that this took.
func spend(t *testing.T, burst int, try func(i int) bool) (n int) {
	t.Helper()
	begin := time.Now()
	for try(n) {
		n++
	}
	if most := burst + int(time.Since(begin).Seconds()) + 1; n < burst || n > most {
		t.Errorf("let in %d times, want %d to %d", n, burst, most)
	}
	return n
}

// announceOnce says whether an announce is within its rate. One that is not has to
// be told to come back in so many minutes.
func announceOnce(t *testing.T, c *limitedClient, minutes int, headers ...string) bool {
	t.Helper()
	body, err := c.announce(headers...)
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("an announce got %q: %v", body, err)
	}
	if !strings.Contains(body, "failure reason") {
		return true
	}
	text := fmt.Sprint(minutes)
	if want := fmt.Sprintf("8:retry in%d:%s", len(text), text); !strings.Contains(body, want) {
		t.Errorf("a failure lacks %q: %q", want, body)
	}
	return false
}
