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
		{"unknown key", "duration = 1\nnum_conections = 3\n", "line 2: num_conections is no key"},
		{"unknown section key", "[torrents]\nweight = 3\n", "line 2: torrents.weight is no key"},
		{"wrong type", "duration = \"long\"\n", "line 1: duration"},
		{"no TOML", "duration\n", "line 1"},
		{"range", "num_workers = 0\n", "num_workers = 0: needs a number of at least 1"},
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
