package load

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "load.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaultFileIsTheDefault(t *testing.T) {
	cfg, err := LoadFile(writeFile(t, DefaultFile()))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cfg, DefaultConfig()) {
		t.Errorf("default.toml gives %+v, want %+v", cfg, DefaultConfig())
	}
}

func TestDefaultFileNamesEveryKey(t *testing.T) {
	var named, all map[string]any
	if err := toml.Unmarshal([]byte(DefaultFile()), &named); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	text, err := cfg.Print()
	if err != nil {
		t.Fatal(err)
	}
	if err := toml.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(named, all) {
		t.Errorf("default.toml has %v, want %v", named, all)
	}
}

func TestAquaticFileMeansTheSame(t *testing.T) {
	cfg, err := LoadFile("testdata/aquatic_http_load_test.toml")
	if err != nil {
		t.Fatal(err)
	}
	want := aquaticConfig()
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("aquatic's file gives %+v, want %+v", cfg, want)
	}
	if cfg, err = LoadFile(writeFile(t, "")); err != nil || !cfg.EnableTLS {
		t.Errorf("an empty file gives enable_tls = %v, %v; want true as aquatic has it", cfg.EnableTLS, err)
	}
}

func TestWrongFilesAreExplained(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "duration = 1\nnum_conections = 3\n", "line 2: num_conections is no key here: did you mean num_connections?"},
		{"unknown section key", "[torrents]\nweight = 3\n", "line 2: torrents.weight is no key"},
		{"unknown section", "[torents]\nnumber_of_torrents = 3\n", "line 1: torents is no key here: did you mean torrents?"},
		{"wrong type", "duration = \"long\"\n", "line 1: duration needs a whole number"},
		{"wrong types", "keep_alive = 1\n[mix]\nnumwant = [\"a\"]\nclient = 2\n", "line 1: keep_alive needs true or false\nline 3: mix.numwant[0] needs a whole number\nline 4: mix.client needs text in quotes"},
		{"no section", "torrents = 3\n", "line 1: torrents needs a section of its own"},
		{"inline value", "duration = 1\ntorrents = { number_of_torrents = 0 }\n", "line 2: torrents.number_of_torrents = 0: needs a number of at least 1"},
		{"dotted key", "\ntorrents.number_of_torrents = 0\n", "line 2: torrents.number_of_torrents = 0: needs a number of at least 1"},
		{"no TOML", "duration\n", "line 1: is no valid TOML"},
		{"twice", "duration = 1\nduration = 2\n", "line 2: duration is no valid TOML: key duration is already defined"},
		{"binary", "\xff\xfe", "line 1: is no valid TOML"},
		{"range", "num_workers = 0\n", "line 1: num_workers = 0: needs a number of at least 1"},
		{"slip", "[torrents]\nnumber_of_torrents = 9000000000\n", "line 2: torrents.number_of_torrents = 9000000000: needs a number of at most 100000000"},
		{"endless", "[rate]\nrequests_per_second = inf\n", "line 2: rate.requests_per_second = +Inf: needs a number above 0"},
		{"no port", "server_address = \"127.0.0.1:0\"\n", "line 1: server_address = \"127.0.0.1:0\": needs an address and port"},
		{"too few ports", "[peers]\nmodel = \"lives\"\nnumber = 64001\n", "line 3: peers.number = 64001: needs at most 64000 for each of addresses.number = 1"},
		{"one address", "[addresses]\nnumber = 2\n", "line 2: addresses.number = 2: needs another addresses.source than own"},
		{"untold IPv6", "[addresses]\nsource = \"loopback\"\nipv6 = 0.5\n", "line 3: addresses.ipv6 = 0.5: needs another addresses.source"},
		{"loopback to IPv6", "server_address = \"[::1]:3000\"\n[addresses]\nsource = \"loopback\"\n", "line 3: addresses.source = \"loopback\": needs a server_address in 127.0.0.0/8"},
		{"scrapes", "[mix]\nscrape_min = 7\n", "mix.scrape_max = 5: needs a number of at least 7"},
		{"share", "[torrents]\npeer_seeder_probability = 1.5\n", "torrents.peer_seeder_probability = 1.5: needs a number from 0 to 1"},
		{"not a number", "[torrents]\ntorrent_gamma_shape = nan\n", "torrents.torrent_gamma_shape = NaN: needs a number above 0"},
		{"word", "[rate]\nmode = \"half\"\n", `rate.mode = "half": needs one of closed, open, search`},
		{"client", "[mix]\nclient = \"napster\"\n", `mix.client = "napster": needs one of mixed, aquatic, libtorrent`},
		{"two at once", "num_workers = 0\nnum_connections = 0\n", "num_connections = 0: needs a number of at least 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadFile(writeFile(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestOnlyLoopbackIsATarget(t *testing.T) {
	for target, ok := range map[string]bool{
		"127.0.0.1:3000": true, "127.9.8.7:1": true, "[::1]:3000": true, "[::ffff:127.0.0.1]:3000": true,
		"192.0.2.1:3000": false, "10.0.0.1:80": false, "[2001:db8::1]:80": false, "0.0.0.0:3000": false, "localhost": false,
	} {
		if err := CheckTarget(target); (err == nil) != ok {
			t.Errorf("CheckTarget(%q) = %v, want ok = %v", target, err, ok)
		}
	}
}
