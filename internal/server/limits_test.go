package server

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"spate/internal/ipaddr"
)

func mustLimiter(tb testing.TB, cfg Limits) *limiter {
	tb.Helper()
	l, err := newLimiter(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// refusedBy returns the count of one reason.
func refusedBy(l *limiter, why refusal) uint64 {
	for _, c := range l.refusals() {
		if c.Label == refusalLabels[why] {
			return c.Value
		}
	}
	return 0
}

func TestLimiterAddressConnections(t *testing.T) {
	l := mustLimiter(t, Limits{AddressConnections: 2})
	for _, c := range []struct{ a, b, other string }{
		{"203.0.113.7", "::ffff:203.0.113.7", "203.0.113.8"},
		{"2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"},
	} {
		a, b, other := netip.MustParseAddr(c.a), netip.MustParseAddr(c.b), netip.MustParseAddr(c.other)
		if l.admit(0, a, nil) != refusalNone || l.admit(0, b, nil) != refusalNone {
			t.Fatalf("%s: refused below the limit", c.a)
		}
		if why := l.admit(0, a, nil); why != refusalAddress {
			t.Errorf("%s: third connection: %d", c.a, why)
		}
		if why := l.admit(0, other, nil); why != refusalNone {
			t.Errorf("%s pays for %s: %d", c.other, c.a, why)
		}
		l.release(b)
		if why := l.admit(0, a, nil); why != refusalNone {
			t.Errorf("%s: after a release: %d", c.a, why)
		}
	}
	if n := refusedBy(l, refusalAddress); n != 2 {
		t.Errorf("%d refusals counted, want 2", n)
	}
}

func TestLimiterConnectionRate(t *testing.T) {
	l := mustLimiter(t, Limits{ConnectionRate: 10, ConnectionBurst: 3})
	addr := netip.MustParseAddr("203.0.113.7")
	admitted := func(now time.Duration, tries int) (n int) {
		for range tries {
			if l.admit(now, addr, nil) == refusalNone {
				n++
			}
		}
		return n
	}
	const start = time.Hour
	if n := admitted(start, 10); n != 3 {
		t.Errorf("burst of %d, want 3", n)
	}
	if n := admitted(start+99*time.Millisecond, 10); n != 0 {
		t.Errorf("%d before a tenth of a second is over", n)
	}
	if n := admitted(start+100*time.Millisecond, 10); n != 1 {
		t.Errorf("%d after a tenth of a second, want 1", n)
	}
	if n := admitted(start+10*time.Second, 10); n != 3 {
		t.Errorf("burst of %d after a pause, want 3", n)
	}
	total := 0
	for ms := range 10_000 { // ten tries a millisecond: the rate, whatever is tried
		total += admitted(start+20*time.Second+time.Duration(ms)*time.Millisecond, 10)
	}
	if total != 3+99 {
		t.Errorf("%d in ten seconds, want 102", total)
	}
	if n := refusedBy(l, refusalConnectionRate); n == 0 {
		t.Error("refusals are not counted")
	}
}

func TestLimiterRequests(t *testing.T) {
	l := mustLimiter(t, Limits{RequestRate: 1, RequestBurst: 2, Exempt: ipaddr.LocalPrefixes()})
	addr := netip.MustParseAddr("2001:db8::1")
	for i, c := range []struct {
		now  time.Duration
		want bool
	}{{0, true}, {0, true}, {0, false}, {time.Second, true}} {
		if l.request(c.now, addr) != c.want {
			t.Errorf("request %d does not follow the rate", i)
		}
	}
	for range 10 {
		if !l.request(0, netip.MustParseAddr("192.168.1.1")) || !l.request(0, netip.Addr{}) {
			t.Error("an exempt client was refused")
		}
	}
	if n := refusedBy(l, refusalRequestRate); n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}
}

func TestLimiterMaxConnections(t *testing.T) {
	l := mustLimiter(t, Limits{MaxConnections: 2, AddressConnections: 1, Exempt: ipaddr.LocalPrefixes()})
	public, local := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("127.0.0.1")
	if l.admit(0, public, nil) != refusalNone || l.admit(0, public, nil) != refusalAddress || l.admit(0, local, nil) != refusalNone {
		t.Fatal("refused below the limit, or not at it")
	}
	other := netip.MustParseAddr("203.0.113.8") // the first one is over its own limit as well
	for _, addr := range []netip.Addr{other, local, {}} {
		if why := l.admit(0, addr, nil); why != refusalConnections {
			t.Errorf("%v over the limit: %d", addr, why)
		}
	}
	l.release(local)
	if why := l.admit(0, netip.Addr{}, nil); why != refusalNone {
		t.Errorf("unix socket after a release: %d", why)
	}
	l.release(netip.Addr{})
	l.release(public)
	if n := l.open.Load(); n != 0 {
		t.Errorf("%d connections open at the end", n)
	}
}

func TestLimiterExemptAndUnlimited(t *testing.T) {
	strict := mustLimiter(t, Limits{
		AddressConnections: 1, ConnectionRate: 1, ConnectionBurst: 1, RequestRate: 1, RequestBurst: 1,
		Exempt: append(ipaddr.LocalPrefixes(), netip.MustParsePrefix("203.0.113.0/24")),
	})
	unlimited := mustLimiter(t, Limits{})
	for range 100 {
		for _, addr := range []netip.Addr{
			netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("203.0.113.7"),
			netip.MustParseAddr("fe80::1%eth0"),
			{},
		} {
			if why := strict.admit(0, addr, nil); why != refusalNone {
				t.Fatalf("%v, exempt: %d", addr, why)
			}
		}
		if addr := netip.MustParseAddr("198.51.100.1"); unlimited.admit(0, addr, nil) != refusalNone || !unlimited.request(0, addr) {
			t.Fatal("refused without limits")
		}
	}
}

func TestLimiterSet(t *testing.T) {
	l := mustLimiter(t, Limits{})
	addr := netip.MustParseAddr("203.0.113.7")
	if l.admit(0, addr, nil) != refusalNone {
		t.Fatal("refused without limits")
	}
	if err := l.set(Limits{AddressConnections: 1}); err != nil {
		t.Fatal(err)
	}
	if l.admit(0, addr, nil) != refusalNone || l.admit(0, addr, nil) != refusalAddress {
		t.Error("the new limit does not hold")
	}
	l.release(addr)
	l.release(addr) // the one that came before the limit
	if l.admit(0, addr, nil) != refusalNone {
		t.Error("connections of before the limit left a count behind")
	}
	tooMany := int64(maxLimit) + 1 // which is a negative int where those have 32 bits
	if err := l.set(Limits{AddressConnections: -1, RequestRate: int(tooMany)}); err == nil ||
		!strings.Contains(err.Error(), "connections of an address") || !strings.Contains(err.Error(), "requests per second") {
		t.Errorf("invalid limits: %v", err)
	}
	if err := l.set(Limits{Exempt: []netip.Prefix{{}}}); err == nil {
		t.Error("an invalid prefix was taken")
	}
	if l.admit(0, addr, nil) != refusalAddress {
		t.Error("invalid limits replaced the valid ones")
	}
	if _, err := newLimiter(Limits{MaxConnections: -1}); err == nil {
		t.Error("invalid limits were taken")
	}
}

// TestLimiterCollisions puts all addresses into one set: whatever others do
// there, an address below its own limits is never refused.
func TestLimiterCollisions(t *testing.T) {
	l := mustLimiter(t, Limits{AddressConnections: 3, ConnectionRate: 5, ConnectionBurst: 10, RequestRate: 5, RequestBurst: 10})
	l.table = newLimitTable(1)
	rng := rand.New(rand.NewPCG(3, 4))
	innocent := netip.MustParseAddr("198.51.100.1")
	attackers := make([]netip.Addr, 12)
	open := make([]int, len(attackers))
	for i := range attackers {
		attackers[i] = netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
	}
	refused := 0
	for step := range 20_000 {
		now := time.Duration(step) * 10 * time.Millisecond
		for range 5 {
			i := rng.IntN(len(attackers))
			switch {
			case rng.IntN(3) == 0 && open[i] > 0:
				l.release(attackers[i])
				open[i]--
			case l.admit(now, attackers[i], nil) == refusalNone:
				open[i]++
			default:
				refused++
			}
			l.request(now, attackers[i])
		}
		if step%100 == 0 { // once a second
			if why := l.admit(now, innocent, nil); why != refusalNone || !l.request(now, innocent) {
				t.Fatalf("step %d: an innocent address was refused: %d", step, why)
			}
			l.release(innocent)
		}
	}
	if refused == 0 {
		t.Error("the attackers were never refused")
	}
}

// TestLimiterAgainstModel runs random events of few addresses against exact
// bookkeeping; the table is large enough to be exact itself.
func TestLimiterAgainstModel(t *testing.T) {
	const most, perSecond, burst = 4, 20, 6
	l := mustLimiter(t, Limits{AddressConnections: most, ConnectionRate: perSecond, ConnectionBurst: burst})
	type account struct {
		open   int
		tokens float64 // in periods, as of at
		at     time.Duration
	}
	rng := rand.New(rand.NewPCG(5, 6))
	accounts := map[netip.Addr]*account{}
	var now time.Duration
	for range 50_000 {
		now += time.Duration(rng.IntN(8)) * 5 * time.Millisecond // a tenth of a period each, exact in both
		addr := netip.AddrFrom4([4]byte{1, 2, 3, byte(rng.IntN(20))})
		a := accounts[addr]
		if a == nil {
			a = &account{tokens: burst, at: now}
			accounts[addr] = a
		}
		if rng.IntN(2) == 0 && a.open > 0 {
			l.release(addr)
			a.open--
			continue
		}
		a.tokens = min(burst, a.tokens+float64((now-a.at)*perSecond)/float64(time.Second))
		a.at = now
		want := refusalNone
		switch {
		case a.open == most:
			want = refusalAddress
		case a.tokens < 1-1e-9:
			want = refusalConnectionRate
		default:
			a.open++
			a.tokens--
		}
		if why := l.admit(now, addr, nil); why != want {
			t.Fatalf("%v at %v: %d, want %d (%+v)", addr, now, why, want, *a)
		}
	}
}

func TestLimiterConcurrent(t *testing.T) {
	const most, workers = 5, 4
	l := mustLimiter(t, Limits{AddressConnections: most, MaxConnections: 12})
	addrs := []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("203.0.113.8")}
	var open [3]atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(w)))
			for range 2000 {
				i := rng.IntN(len(addrs))
				held := 0
				for range 3 {
					if l.admit(0, addrs[i], nil) == refusalNone {
						held++
						if n := open[i].Add(1); n > most {
							t.Errorf("%d connections of %v", n, addrs[i])
						}
					}
				}
				for range held {
					open[i].Add(-1)
					l.release(addrs[i])
				}
				l.request(0, addrs[i])
			}
		})
	}
	wg.Wait()
	for _, addr := range addrs {
		for range most - 1 {
			if why := l.admit(0, addr, nil); why == refusalAddress {
				t.Errorf("%v: counts were left behind", addr)
			}
			l.release(addr)
		}
	}
	if n := l.open.Load(); n != 0 {
		t.Errorf("%d connections open at the end", n)
	}
}

func TestLimitSetIsTwoCacheLines(t *testing.T) {
	if n := unsafe.Sizeof(limitSet{}); n != 128 {
		t.Errorf("a set has %d bytes", n)
	}
}

func TestLimitKeys(t *testing.T) {
	keys := map[uint64]string{}
	for _, addr := range []string{"0.0.0.1", "1.2.3.4", "255.255.255.255", "::1", "2001:db8::", "2001:db8:0:1::", "ffff::"} {
		key := limitKey(netip.MustParseAddr(addr))
		if other, taken := keys[key]; taken || key == 0 {
			t.Errorf("%s has the key %x of %q", addr, key, other)
		}
		keys[key] = addr
	}
}

func TestLimiterAllocatesNothing(t *testing.T) {
	l := mustLimiter(t, DefaultLimits())
	v4, v6 := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() {
		for _, addr := range []netip.Addr{v4, v6} {
			if l.admit(0, addr, nil) == refusalNone {
				l.request(0, addr)
				l.release(addr)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLimiter(b *testing.B) {
	var addrs [1 << 12]netip.Addr // as many as a busy second brings
	rng := rand.New(rand.NewPCG(8, 9))
	for i := range addrs {
		n := rng.Uint32()
		addrs[i] = netip.AddrFrom4([4]byte{byte(n>>24)%100 + 20, byte(n >> 16), byte(n >> 8), byte(n)})
	}
	b.Run("admit and release", func(b *testing.B) {
		l := mustLimiter(b, DefaultLimits())
		i := 0
		for b.Loop() {
			i++
			addr := addrs[i%len(addrs)]
			if l.admit(time.Duration(i)*time.Microsecond, addr, nil) == refusalNone {
				l.release(addr)
			}
		}
	})
	b.Run("request", func(b *testing.B) {
		l := mustLimiter(b, DefaultLimits())
		i := 0
		for b.Loop() {
			i++
			l.request(time.Duration(i)*time.Microsecond, addrs[i%len(addrs)])
		}
	})
	b.Run("parallel admit and release", func(b *testing.B) {
		l := mustLimiter(b, DefaultLimits())
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				addr := addrs[i%len(addrs)]
				if l.admit(time.Duration(i)*time.Microsecond, addr, nil) == refusalNone {
					l.release(addr)
				}
			}
		})
	})
}
