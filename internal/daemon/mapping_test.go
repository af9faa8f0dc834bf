package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"spate/internal/config"
)

// elsewhere are the keys that are used where no room's configuration shows them,
// with what tests them.
var elsewhere = map[string]string{
	"network.address":                       "TestOneAddress",
	"network.only_ipv6":                     "TestOneAddress",
	"swarm_workers":                         "it has no effect; TestScripts/aquatic",
	"log_level":                             "TestScripts/serve",
	"cleaning.torrent_cleaning_interval":    "TestSweepIsSpreadOut",
	"cleaning.connection_cleaning_interval": "it has no effect",
	"metrics.torrent_count_update_interval": "it has no effect",
	"metrics.run_prometheus_endpoint":       "TestOperatorsEndpoints",
	"metrics.prometheus_endpoint_address":   "TestOperatorsEndpoints",
	"metrics.namespace":                     "TestAdminTokenAndDebug",
	"admin.address":                         "TestOperatorsEndpoints",
	"admin.token":                           "TestAdminTokenAndDebug",
	"admin.debug":                           "TestAdminTokenAndDebug",
	"log.format":                            "TestJSONLog",
	"log.log_addresses":                     "TestTraceShowsAddressesOnlyWhenAsked",
	"privileges.drop_privileges":            "TestPrivilegeDrop",
	"privileges.chroot_path":                "TestPrivilegeDrop",
	"privileges.group":                      "TestPrivilegeDrop",
	"privileges.user":                       "TestPrivilegeDrop",
	"snapshot.path":                         "TestSwarmsSurviveARestart",
	"snapshot.interval":                     "TestSnapshotIsWrittenEveryInterval",
	"access_list.mode":                      "TestReloadSwapsOrKeepsTheList",
	"access_list.path":                      "TestReloadSwapsOrKeepsTheList",
}

// everythingOn returns a configuration in which every key matters.
func everythingOn() config.Config {
	cfg := config.Default()
	cfg.Network.EnableTLS = true
	cfg.Network.AddressIPv6 = netip.MustParseAddrPort("[::]:3001") // a port of its own for set_only_ipv6
	cfg.Network.TLSCertificatePath, cfg.Network.TLSPrivateKeyPath = "a.pem", "a.key"
	cfg.AccessList.Mode = config.AccessAllow
	cfg.Listeners = []config.Listener{{Address: "unix:sock", Proxy: config.ProxyNone, Mode: 0o660}}
	cfg.TLS.Certificates = []config.Certificate{{CertificatePath: "b.pem", PrivateKeyPath: "b.key"}}
	cfg.TLS.ACME.Domains = []string{"t.example"}
	return cfg
}

// TestEveryKeyReachesARoom changes one key after the other and looks whether
// any room's configuration changes with it.
func TestEveryKeyReachesARoom(t *testing.T) {
	base := everythingOn()
	before := farSide(t, base)
	for _, change := range changes(t, reflect.ValueOf(&base).Elem(), "") {
		cfg := everythingOn()
		change.apply(reflect.ValueOf(&cfg).Elem())
		_, tested := elsewhere[change.path]
		if reached := farSide(t, cfg) != before; reached == tested {
			t.Errorf("%s: reaches a room: %v, listed as tested elsewhere: %v", change.path, reached, tested)
		}
	}
}

// TestBoundsCanBeServed: what a room is given for the least and the greatest
// value of a key is something that it takes.
func TestBoundsCanBeServed(t *testing.T) {
	cfg := config.Default()
	tried := 0
	var try func(v reflect.Value)
	try = func(v reflect.Value) {
		for i := range v.NumField() {
			field, tag := v.Field(i), v.Type().Field(i).Tag
			if field.Kind() == reflect.Struct && tag.Get("toml") != "" {
				try(field)
			}
			low, high, found := strings.Cut(tag.Get("range"), "..")
			if !found {
				continue
			}
			before := field.Int()
			for _, bound := range []string{low, high} {
				n, err := strconv.ParseInt(bound, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				field.SetInt(n)
				swarms, policy := swarmConfig(&cfg, 1<<30), trackerConfig(&cfg)
				_, err = policy.Validate()
				if tag.Get("toml") == "min_announce_interval" && n > 0 {
					err = nil // it is refused with this peer_announce_interval, by Load as well
				}
				if err := errors.Join(swarms.Validate(), err); err != nil {
					t.Errorf("%s = %d: %v", tag.Get("toml"), n, err)
				}
				warnings, _ := notes(&cfg)
				for _, w := range warnings {
					if strings.Contains(w, "-") {
						t.Errorf("%s = %d: %s", tag.Get("toml"), n, w)
					}
				}
				tried++
			}
			field.SetInt(before)
		}
	}
	try(reflect.ValueOf(&cfg).Elem())
	if tried < 40 {
		t.Errorf("%d bounds were tried", tried)
	}
}

// farSide writes what the rooms are given for a configuration.
func farSide(t *testing.T, cfg config.Config) string {
	t.Helper()
	d := &Daemon{cfg: cfg, log: &Log{}}
	listeners, err := d.wantedListeners()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v %+v %+v %+v %v", swarmConfig(&cfg, 1<<30), trackerConfig(&cfg), serverConfig(&cfg), acmeConfig(&cfg), d.watched())
	for _, l := range listeners {
		owner := ""
		if l.Owner != nil {
			owner = fmt.Sprint(*l.Owner)
		}
		l.Owner = nil
		text += fmt.Sprintf("\n%+v %s", l, owner)
	}
	return text
}

// A change gives one key another value.
type change struct {
	path  string
	index []int
	value reflect.Value
	in    []int // the array of tables that the key is in, nil for none
}

func (c *change) apply(root reflect.Value) {
	if c.in != nil {
		root = root.FieldByIndex(c.in).Index(0)
	}
	root.FieldByIndex(c.index).Set(c.value)
}

// changes returns a change for every key below v.
func changes(t *testing.T, v reflect.Value, path string) (all []change) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name := f.Tag.Get("toml")
		if name == "" {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		field := v.Field(i)
		isList := field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct && field.Type() != reflect.TypeFor[[]netip.Prefix]()
		switch {
		case isList:
			for _, c := range changes(t, field.Index(0), at) {
				c.in = []int{i}
				all = append(all, c)
			}
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[netip.AddrPort]() && field.Type() != reflect.TypeFor[config.Memory]():
			for _, c := range changes(t, field, at) {
				if c.in != nil {
					c.in = slices.Insert(c.in, 0, i)
				} else {
					c.index = slices.Insert(c.index, 0, i)
				}
				all = append(all, c)
			}
		default:
			all = append(all, change{path: at, index: []int{i}, value: another(t, field, at)})
		}
	}
	return all
}

// another returns a value that a key does not have.
func another(t *testing.T, field reflect.Value, path string) reflect.Value {
	t.Helper()
	words := map[string]any{
		"network.reverse_proxy_ip_header_format": config.HeaderForwarded,
		"protocol.hand_out_private_addresses":    config.PrivatePeersNever,
		"access_list.mode":                       config.AccessDeny,
		"log_level":                              config.LevelDebug,
		"log.format":                             config.LogJSON,
		"tls.acme.challenge":                     config.ChallengeTLSALPN,
		"listeners.proxy":                        config.ProxyHeader,
		"listeners.address":                      "unix:other",
		"listeners.owner":                        "7",
		"listeners.group":                        "8",
	}
	if w, found := words[path]; found {
		return reflect.ValueOf(w).Convert(field.Type())
	}
	switch field.Interface().(type) {
	case bool:
		return reflect.ValueOf(!field.Bool())
	case int, int64:
		return reflect.ValueOf(field.Int() + 1).Convert(field.Type())
	case string:
		return reflect.ValueOf(field.String() + "x")
	case netip.AddrPort:
		return reflect.ValueOf(netip.AddrPortFrom(field.Interface().(netip.AddrPort).Addr(), 1))
	case []netip.Prefix:
		return reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	case []string:
		return reflect.ValueOf([]string{"other.example"})
	case config.Memory:
		return reflect.ValueOf(config.Memory{Bytes: 12345})
	case config.FileMode:
		return reflect.ValueOf(config.FileMode(0o600))
	}
	t.Fatalf("%s: no other value is known for a %s", path, field.Type())
	return reflect.Value{}
}
