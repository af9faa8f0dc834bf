package daemon

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"spate/internal/config"
)

// TestOverlaps: of two addresses that share a port, the configuration refuses
// what the kernel would, says so with the key, and starts with the rest.
func TestOverlaps(t *testing.T) {
	type socket struct{ network, address string }
	v4, v6, dual := socket{"tcp4", "0.0.0.0:"}, socket{"tcp6", "[::]:"}, socket{"tcp", "[::]:"}
	one4, one6 := socket{"tcp4", "127.0.0.1:"}, socket{"tcp6", "[::1]:"}
	for _, tc := range []struct {
		name          string
		file          string
		first, second socket
	}{
		{"all and one", "[network]\nuse_ipv6 = false\naddress_ipv4 = '0.0.0.0:P'\n[[listeners]]\naddress = '127.0.0.1:P'", v4, one4},
		{"one and all", "[network]\nuse_ipv6 = false\naddress_ipv4 = '127.0.0.1:P'\n[[listeners]]\naddress = '0.0.0.0:P'", one4, v4},
		{"all of both families", "[network]\naddress_ipv4 = '0.0.0.0:P'\naddress_ipv6 = '[::]:P'", v4, v6},
		{"all and one of the other", "[network]\naddress_ipv4 = '0.0.0.0:P'\naddress_ipv6 = '[::1]:P'", v4, one6},
		{"both at once and one", "[network]\nuse_ipv4 = false\nset_only_ipv6 = false\naddress_ipv6 = '[::]:P'\n[[listeners]]\naddress = '127.0.0.1:P'", dual, one4},
		{"both at once and all", "[network]\nuse_ipv4 = false\nset_only_ipv6 = false\naddress_ipv6 = '[::]:P'\n[[listeners]]\naddress = '0.0.0.0:P'", dual, v4},
		{"one of IPv6 has no IPv4", "[network]\nuse_ipv4 = false\nset_only_ipv6 = false\naddress_ipv6 = '[::1]:P'\n[[listeners]]\naddress = '127.0.0.1:P'", one6, one4},
		{"the operator's and all", "[network]\nuse_ipv6 = false\naddress_ipv4 = '0.0.0.0:P'\n[admin]\naddress = '127.0.0.1:P'", v4, one4},
		{"the operator's and the other family", "[network]\nuse_ipv4 = false\naddress_ipv6 = '[::]:P'\n[admin]\naddress = '127.0.0.1:P'", v6, one4},
		{"metrics of all IPv4", "[network]\nuse_ipv4 = false\naddress_ipv6 = '[::]:P'\n[metrics]\nrun_prometheus_endpoint = true\nprometheus_endpoint_address = '0.0.0.0:P'", v6, v4},
		{"metrics of all", "[network]\nuse_ipv6 = false\naddress_ipv4 = '127.0.0.1:P'\n[metrics]\nrun_prometheus_endpoint = true\nprometheus_endpoint_address = '[::]:P'", one4, dual},
		{"metrics of all and one of IPv6", "[network]\nuse_ipv4 = false\naddress_ipv6 = '[::1]:P'\n[metrics]\nrun_prometheus_endpoint = true\nprometheus_endpoint_address = '[::]:P'", one6, dual},
	} {
		t.Run(tc.name, func(t *testing.T) {
			free, err := net.Listen("tcp", "[::]:0")
			if err != nil {
				t.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(free.Addr().String())
			if err := free.Close(); err != nil {
				t.Fatal(err)
			}
			first, err := net.Listen(tc.first.network, tc.first.address+port)
			if err != nil {
				t.Fatal(err)
			}
			second, err := net.Listen(tc.second.network, tc.second.address+port)
			refused := errors.Is(err, syscall.EADDRINUSE)
			if err == nil {
				second.Close()
			} else if !refused {
				t.Fatal(err)
			}
			first.Close()

			cfg, err := config.Parse("spate.toml", []byte(strings.ReplaceAll(tc.file, ":P'", ":"+port+"'")))
			if refused {
				if err == nil || !strings.Contains(err.Error(), "needs another port: [network] address_ipv") {
					t.Errorf("the kernel refuses it, the configuration says %v", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("the kernel opens both, the configuration says %v", err)
			}
			d, err := New(cfg, Build{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			d.Close()
		})
	}
}
