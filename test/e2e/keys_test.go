package e2e

import (
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spate/test/e2e/lab"
	"spate/test/e2e/swarm"
)

// userKeys is nginx in front of the tracker, with a site that it asks for users' keys.
var userKeys = proxyCase{"nginx with keys", "spate-header.toml", "nginx-keys.conf", "nginx", "http", 80}

// TestUserKeys has users announce and scrape with a key that the site knows, with one
// that it does not, and with none.
func TestUserKeys(t *testing.T) {
	t.Parallel()
	const known, unknown = "0123456789abcdef0123456789ABCDEF", "fedcba9876543210fedcba9876543210"
	network := lab.NewNetwork(t)
	host := network.NewHost(t, "proxy", lab.Dual)
	var asked atomic.Int64
	serve(t, host, "127.0.0.1:8000", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if path, _, _ := strings.Cut(r.Header.Get("X-Original-URI"), "?"); !strings.Contains(path, known) {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	userKeys.start(t, host, lab.NewAuthority(t))
	a, b := network.NewHost(t, "a", lab.IPv4), network.NewHost(t, "b", lab.IPv4)
	hash := [20]byte{1: 0xff, 2: '&', 3: '=', 4: '%', 5: '+', 6: ' ', 7: '/', 19: 1}
	base := "http://" + host.IPv4.String() + "/"
	announce := func(from *lab.Host, path string, port uint16) (swarm.Reply, error) {
		return swarm.Announce{InfoHash: hash, Port: port, Left: 1}.Do(from.HTTPClient(), base+path)
	}
	lab.Eventually(t, 45*time.Second, "announce with a key", func() error {
		_, err := announce(a, known+"/announce", 7001)
		return err
	})
	reply, err := announce(b, "announce/"+known, 7002)
	if err != nil {
		t.Fatal(err)
	}
	expectPeers(t, reply, []netip.AddrPort{netip.AddrPortFrom(a.IPv4, 7001)})
	if asked.Load() < 2 {
		t.Error("the site was not asked")
	}
	for _, path := range []string{unknown + "/announce", "announce/" + unknown, "announce"} {
		if _, err := announce(b, path, 7003); err == nil || err.Error() != "unknown key" {
			t.Errorf("%s: %v, want the failure \"unknown key\"", path, err)
		}
	}
	if counts, err := swarm.Scrape(a.HTTPClient(), base+known+"/announce", hash); err != nil || counts.Incomplete != 2 {
		t.Errorf("scrape with a key: %+v, %v", counts, err)
	}
}

// serve answers HTTP on the host until the test ends, and returns the address.
func serve(t *testing.T, host *lab.Host, address string, handle http.HandlerFunc) string {
	t.Helper()
	listener, err := host.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handle}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
	return listener.Addr().String()
}
