package tomlfile

import (
	"bytes"
	"math"
	"net/netip"
	"reflect"
	"testing"
)

type form struct {
	Word   string         `toml:"word" enum:"one two"`
	Count  int            `toml:"count" range:"1..9"`
	Any    int            `toml:"any"`
	Share  float64        `toml:"share"`
	Secret string         `toml:"secret" secret:"yes"`
	At     netip.AddrPort `toml:"at" address:"any"`
	Part   part           `toml:"part"`
	Parts  []part         `toml:"parts"`
}

type part struct {
	Names   map[string]string `toml:"names"`
	Numbers []float64         `toml:"numbers"`
	Whole   []int             `toml:"whole"`
	Lists   [][]string        `toml:"lists"`
	Flag    bool              `toml:"flag"`
}

func (p *part) SetDefaults() { p.Flag = true }

func TestDecode(t *testing.T) {
	const text = `
word = "two"
count = 0x9
any = -3
share = 1
at = "[::1]:80"
part.numbers = [1, 2.5, inf, 1e-3] # dotted
[part.names]
"a.b" = "c"
[[parts]]
names = {x = "y"}
whole = [
  0b11, # a comment
  1_000,
]
[[parts]]
lists = [["a"], []]
flag = false
`
	got := form{Secret: "kept"}
	source, problems := Decode("f", []byte(text), &got)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := form{
		Word: "two", Count: 9, Any: -3, Share: 1, Secret: "kept", At: netip.MustParseAddrPort("[::1]:80"),
		Part: part{Numbers: []float64{1, 2.5, math.Inf(1), 1e-3}, Names: map[string]string{"a.b": "c"}},
		Parts: []part{
			{Names: map[string]string{"x": "y"}, Whole: []int{3, 1000}, Flag: true},
			{Lists: [][]string{{"a"}, nil}},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for path, set := range map[string]bool{"word": true, "secret": false, "parts[0].whole": true, "parts[1].whole": false, "part.names": true} {
		if source.IsSet(path) != set {
			t.Errorf("IsSet(%q) = %v", path, !set)
		}
	}
}

func TestProblems(t *testing.T) {
	for text, want := range map[string]string{
		`share = "1"`:                  `f:1: share = "1": needs a number`,
		`any = 1.5`:                    `f:1: any = 1.5: needs a whole number`,
		`count = 10`:                   `f:1: count = 10: needs a whole number from 1 to 9`,
		`secret = 12345`:               `f:1: secret: needs a string in quotes`,
		`part.numbers = [true]`:        `f:1: [part] numbers: needs a list of numbers`,
		`part.whole = 1`:               `f:1: [part] whole = 1: needs a list of whole numbers`,
		`part.lists = ["a"]`:           `f:1: [part] lists: needs a list of lists`,
		`part.names = "a"`:             `f:1: [part] names = "a": is a section and needs keys of its own`,
		`part.names = {a = 1}`:         `f:1: [part.names] a = 1: needs a string in quotes`,
		`part.names = {a = {b = 1}}`:   `f:1: [part.names] a: needs a string in quotes`,
		"[part.names]\na.b = 1":        `f:2: [part.names] a: there is no such key`,
		`parts = 3`:                    `f:1: parts = 3: is a list of sections and needs keys of its own`,
		"[[parts]]\n[parts.nams]":      `f:2: [parts.nams]: there is no such section`,
		"[at]\nport = 80":              `f:1: [at]: is a key and not a section: write at = ...`,
		`at.port = 80`:                 `f:1: at: has no keys of its own`,
		"[[parts]]\nflag=1\nflags = 1": "f:2: [[parts]] flag = 1: needs true or false, without quotes\nf:3: [[parts]] flags: there is no such key; did you mean flag?",
	} {
		var v form
		if _, problems := Decode("f", []byte(text), &v); problems.Error() != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, problems, want)
		}
	}
}

// TestPlaces: a key that the file does not give is where its section is.
func TestPlaces(t *testing.T) {
	var v form
	source, problems := Decode("f", []byte("\n[part]\nflag = 1\n"), &v)
	var more Problems
	more.Add("part.flag", "is wrong by itself already")
	more.Add("part.whole", "is missing")
	more.Add("word", "is missing")
	more.Add("", "something is missing")
	want := "f: word: is missing\nf: something is missing\nf:2: [part] whole: is missing\nf:3: [part] flag = 1: needs true or false, without quotes"
	if err := source.Merge(problems, more).Err(); err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	none := Source{}
	if got := none.Problem("part.whole", "is missing").Error(); got != "[part] whole: is missing" {
		t.Errorf("without a file: %s", got)
	}
}

func TestDisplayKey(t *testing.T) {
	for path, want := range map[string]string{
		"a": "a", "a.b": "[a] b", "a.b.c": "[a.b] c", "a[0]": "[[a]]", "a[0].b": "[[a]] b",
		"a.b[12].c": "[[a.b]] c", "a[1].b.c": "[a.b] c", "a[1].b[2]": "[[a.b]]", "": "",
	} {
		if got := DisplayKey(path); got != want {
			t.Errorf("DisplayKey(%q) = %q, want %q", path, got, want)
		}
	}
}

// FuzzDecode: no file crashes it, and a problem is in a line of the file.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"word = 'two'\ncount = 0x9\nany = -3\nshare = 1e3\nat = '[::1]:80'\nsecret = \"\"\"a\nb\"\"\"\n",
		"part.numbers = [1, inf, -nan, 0.5]\n[part.names]\n'a.b' = 'c'\na.b = 1\n",
		"[[parts]]\nnames = {x = 'y'}\nwhole = [\n0b11, # a comment\n]\n[parts.names]\n[[parts]]\nlists = [['a'], []]\n",
		"parts = [{flag = true, names.a = 'b'}, 3]\n[at]\n[[part]]\n[word.x]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v form
		source, problems := Decode("f", data, &v)
		for _, p := range problems {
			if p.Line < 0 || p.Line > bytes.Count(data, []byte("\n"))+1 || p.Text == "" || p.File != "f" {
				t.Errorf("problem %+v", p)
			}
		}
		if len(problems) == 0 && v.Word != "" && !source.IsSet("word") {
			t.Error("word came from nowhere")
		}
	})
}
