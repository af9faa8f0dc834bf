package load

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
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
		t.Errorf("the default file gives %+v, want %+v", cfg, DefaultConfig())
	}
}

func TestDefaultFileNamesEveryClient(t *testing.T) {
	_, of, _ := strings.Cut(docs["MixConfig.Client"], "or one of")
	for _, s := range shapes() {
		if s.name != clientAquatic && !strings.Contains(of, " "+s.name) && !strings.Contains(of, "\n"+s.name) {
			t.Errorf("the comment of mix.client does not name %s", s.name)
		}
	}
}

func TestPrintLoadsBack(t *testing.T) {
	want := DefaultConfig()
	want.URLSuffix, want.Mix.NumWant, want.Mix.Malformed, want.Check.Verify = `/a"b\/`, []int{-1, 50}, 1e-7, true
	got, err := LoadFile(writeFile(t, want.Print()))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("printed as\n%s\nit loads as %+v, %v", want.Print(), got, err)
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
		{"unknown key", "duration = 1\nnum_conections = 3\n", "load.toml:2: num_conections: there is no such key; did you mean num_connections?"},
		{"unknown section key", "[torrents]\nweight = 3\n", "load.toml:2: [torrents] weight: there is no such key"},
		{"unknown section", "[torents]\nnumber_of_torrents = 3\n", "load.toml:1: [torents]: there is no such section; did you mean [torrents]?"},
		{"wrong type", "duration = \"long\"\n", `load.toml:1: duration = "long": needs a whole number`},
		{"too large", "duration = 99999999999999999999\n", "load.toml:1: duration: is no valid TOML: decimal number is too large to fit in a 64-bit signed integer; it needs a whole number"},
		{"wrong number", "[rate]\np99_limit_ms = \"10\"\n", `load.toml:2: [rate] p99_limit_ms = "10": needs a number`},
		{"wrong types", "keep_alive = 1\n[mix]\nnumwant = [\"a\"]\nclient = 2\n", "load.toml:1: keep_alive = 1: needs true or false, without quotes\nload.toml:3: [mix] numwant: needs a list of whole numbers\nload.toml:4: [mix] client = 2: needs a string in quotes"},
		{"no section", "torrents = 3\n", "load.toml:1: torrents = 3: is a section and needs keys of its own"},
		{"inline value", "duration = 1\ntorrents = { number_of_torrents = 0 }\n", "load.toml:2: [torrents] number_of_torrents = 0: needs a number of at least 1"},
		{"dotted key", "\ntorrents.number_of_torrents = 0\n", "load.toml:2: [torrents] number_of_torrents = 0: needs a number of at least 1"},
		{"no TOML", "duration\n", "load.toml:1: is no valid TOML"},
		{"twice", "duration = 1\nduration = 2\n", "load.toml:2: duration: is no valid TOML: key duration is already defined"},
		{"binary", "\xff\xfe", "load.toml:1: is no valid TOML"},
		{"range", "num_workers = 0\n", "load.toml:1: num_workers = 0: needs a number of at least 1"},
		{"slip", "[torrents]\nnumber_of_torrents = 9000000000\n", "load.toml:2: [torrents] number_of_torrents = 9000000000: needs a "},
		{"endless", "[rate]\nrequests_per_second = inf\n", "load.toml:2: [rate] requests_per_second = inf: needs a number above 0"},
		{"no port", "server_address = \"127.0.0.1:0\"\n", "load.toml:1: server_address = \"127.0.0.1:0\": needs an address and port"},
		{"too few ports", "[peers]\nmodel = \"lives\"\nnumber = 64001\n", "load.toml:3: [peers] number = 64001: needs at most 64000 for each of addresses.number = 1"},
		{"one address", "[addresses]\nnumber = 2\n", "load.toml:2: [addresses] number = 2: needs another addresses.source than own"},
		{"untold IPv6", "[addresses]\nsource = \"loopback\"\nipv6 = 0.5\n", "load.toml:3: [addresses] ipv6 = 0.5: needs another addresses.source"},
		{"loopback to IPv6", "server_address = \"[::1]:3000\"\n[addresses]\nsource = \"loopback\"\n", "load.toml:3: [addresses] source = \"loopback\": needs a server_address in 127.0.0.0/8"},
		{"scrapes", "[mix]\nscrape_min = 7\n", "load.toml:1: [mix] scrape_max = 5: needs a number of at least 7"},
		{"numwant", "[mix]\nnumwant = [50, -2]\n", "load.toml:2: [mix] numwant = [50 -2]: needs numbers from -1 to 1000000"},
		{"share", "[torrents]\npeer_seeder_probability = 1.5\n", "load.toml:2: [torrents] peer_seeder_probability = 1.5: needs a number from 0 to 1"},
		{"not a number", "[torrents]\ntorrent_gamma_shape = nan\n", "load.toml:2: [torrents] torrent_gamma_shape = nan: needs a number above 0"},
		{"word", "[rate]\nmode = \"half\"\n", `load.toml:2: [rate] mode = "half": needs one of closed, open, search`},
		{"client", "[mix]\nclient = \"napster\"\n", `load.toml:2: [mix] client = "napster": needs one of mixed, aquatic, libtorrent`},
		{"two at once", "num_workers = 0\nnum_connections = 0\n", "load.toml:2: num_connections = 0: needs a number of at least 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := writeFile(t, c.text)
			_, err := LoadFile(path)
			if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""), c.want) {
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
