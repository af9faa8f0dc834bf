package access

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"spate/internal/bittorrent"
	"spate/internal/files"
)

const (
	hexA  = "00112233445566778899aabbccddeeff00112233"
	hexB  = "FFEEDDCCBBAA99887766554433221100FFEEDDCC"
	hexV2 = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
)

// write puts content into a new file and returns its path.
func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hash decodes the first 40 digits of s.
func hash(t testing.TB, s string) *bittorrent.InfoHash {
	t.Helper()
	var h bittorrent.InfoHash
	if problem := parseHash([]byte(s), &h); problem != "" {
		t.Fatalf("%q %s", s, problem)
	}
	return &h
}

func TestModes(t *testing.T) {
	path := write(t, hexA+"\n")
	for _, tc := range []struct {
		mode             Mode
		name             string
		before           bool // what an empty list says
		listed, unlisted bool
		change           Change
	}{
		{ModeOff, "off", true, true, true, Change{}},
		{ModeAllow, "allow", false, true, false, Change{Added: 1, Total: 1}},
		{ModeDeny, "deny", true, false, true, Change{Added: 1, Total: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.mode.String() != tc.name {
				t.Errorf("the mode is called %v", tc.mode)
			}
			l := New(tc.mode)
			if got := l.Allows(hash(t, hexA)); got != tc.before || l.Len() != 0 {
				t.Errorf("before a load: allows %t and has %d hashes, want %t and 0", got, l.Len(), tc.before)
			}
			change, err := l.LoadFile(path)
			if err != nil || change != tc.change {
				t.Fatalf("LoadFile = %+v, %v, want %+v", change, err, tc.change)
			}
			if got := l.Allows(hash(t, hexA)); got != tc.listed {
				t.Errorf("listed: %t, want %t", got, tc.listed)
			}
			if got := l.Allows(hash(t, hexB)); got != tc.unlisted {
				t.Errorf("unlisted: %t, want %t", got, tc.unlisted)
			}
			if l.Mode() != tc.mode || l.Len() != tc.change.Total {
				t.Errorf("mode %v with %d hashes", l.Mode(), l.Len())
			}
		})
	}
	if _, err := New(ModeOff).LoadFile("/no/such/file"); err != nil {
		t.Errorf("ModeOff reads its file: %v", err)
	}
}

func TestLoadFileFormat(t *testing.T) {
	for _, tc := range []struct {
		name, content string
		want          []string
	}{
		{"empty", "", nil},
		{"one line", hexA + "\n", []string{hexA}},
		{"no newline at the end", hexA + "\n" + hexB, []string{hexA, hexB}},
		{"CRLF", hexA + "\r\n\r\n" + hexB + "\r\n", []string{hexA, hexB}},
		{"any letter case", strings.ToUpper(hexA) + "\n" + strings.ToLower(hexB) + "\n", []string{hexA, hexB}},
		{"v2 hashes are kept truncated", hexV2 + "\n", []string{hexV2[:40]}},
		{"a v2 hash and its truncation are one", hexV2 + "\n" + hexV2[:40] + "\n", []string{hexV2[:40]}},
		{"blank lines", "\n\n \t\n" + hexA + "\n\n", []string{hexA}},
		{"blanks around a hash", " \t" + hexA + " \t\n", []string{hexA}},
		{"comments", "# one\n#\n  # two\n" + hexA + " # three\n" + hexB + "#four", []string{hexA, hexB}},
		{"byte order mark", "\xef\xbb\xbf" + hexA + "\n", []string{hexA}},
		{"byte order mark before a comment", "\xef\xbb\xbf# x\n" + hexA + "\n", []string{hexA}},
		{"duplicates", strings.Repeat(hexA+"\n"+hexB+"\n", 50), []string{hexA, hexB}},
		{"huge comment", "#" + strings.Repeat("x", 3*lineBuffer) + "\n" + hexA + " #" + strings.Repeat(" ", lineBuffer), []string{hexA}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := New(ModeAllow)
			change, err := l.LoadFile(write(t, tc.content))
			if err != nil {
				t.Fatal(err)
			}
			if want := (Change{Added: len(tc.want), Total: len(tc.want)}); change != want {
				t.Errorf("change is %+v, want %+v", change, want)
			}
			for _, s := range tc.want {
				if !l.Allows(hash(t, s)) {
					t.Errorf("%s is not on the list", s)
				}
			}
		})
	}
}

func TestLoadFileRefusesBadLines(t *testing.T) {
	for _, tc := range []struct{ name, content, want string }{
		{
			"too short, as of a truncated file", hexA + "\n" + hexB[:23],
			`1 bad line, where 40 or 64 hex digits would be right: line 2 has 23 characters: "` + hexB[:23] + `"`,
		},
		{
			"several", hexA + "\n\nxyz\n" + hexA[:39] + "g\n# fine\n" + hexA + "0\r\n",
			`3 bad lines, where 40 or 64 hex digits would be right: line 3 has 3 characters: "xyz"; ` +
				`line 4 has a character that is no hex digit: "` + hexA[:39] + `g"; ` +
				`line 6 has 41 characters: "` + hexA + `0"`,
		},
		{
			"escaped", "\x1b[2J\x00\"\n",
			`1 bad line, where 40 or 64 hex digits would be right: line 1 has 6 characters: "\x1b[2J\x00\""`,
		},
		{
			"two hashes in a line", hexA + " " + hexB + "\n",
			`1 bad line, where 40 or 64 hex digits would be right: line 1 has 81 characters: "` + (hexA + " " + hexB)[:48] + `"…`,
		},
		{
			"UTF-16", "\xff\xfe0\x001\x00\r\x00\n\x00",
			`2 bad lines, where 40 or 64 hex digits would be right: line 1 has 8 characters: "\xff\xfe0\x001\x00\r\x00"; ` +
				`line 2 has 1 character: "\x00"`,
		},
		{
			"byte order mark elsewhere", hexA + "\n\xef\xbb\xbf" + hexB + "\n",
			`1 bad line, where 40 or 64 hex digits would be right: line 2 has 43 characters: "\ufeff` + hexB + `"`,
		},
		{
			"huge line", hexA + "\n" + strings.Repeat("0", 5*lineBuffer) + "\n" + hexB + "\nx",
			`2 bad lines, where 40 or 64 hex digits would be right: line 2 is longer than 65536 bytes: "` +
				strings.Repeat("0", maxQuoted) + `"…; line 4 has 1 character: "x"`,
		},
		{
			"huge blank line", strings.Repeat(" ", 2*lineBuffer) + hexA + "\n",
			`1 bad line, where 40 or 64 hex digits would be right: line 1 is longer than 65536 bytes: ""`,
		},
		{
			"more than are reported", strings.Repeat("x\n", 1234),
			"1234 bad lines, where 40 or 64 hex digits would be right: line 1 has 1 character: \"x\"; line 2 has",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := New(ModeAllow)
			if _, err := l.LoadFile(write(t, hexA+"\n")); err != nil {
				t.Fatal(err)
			}
			path := write(t, tc.content)
			change, err := l.LoadFile(path)
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("the error is %v, want a *FormatError", err)
			}
			if got := format.Error(); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !strings.Contains(err.Error(), path) {
				t.Errorf("the error %q does not name %s", err, path)
			}
			if change != (Change{}) || l.Len() != 1 || !l.Allows(hash(t, hexA)) || l.Allows(hash(t, hexB)) {
				t.Errorf("the old list is gone: change %+v, %d hashes", change, l.Len())
			}
		})
	}
}

func TestFormatErrorIsBounded(t *testing.T) {
	_, err := New(ModeDeny).LoadFile(write(t, strings.Repeat(strings.Repeat("\xff", 1000)+"\n", 5000)))
	var format *FormatError
	if !errors.As(err, &format) {
		t.Fatalf("the error is %v, want a *FormatError", err)
	}
	if format.Count != 5000 || len(format.Lines) != maxReported || format.Lines[9].Number != 10 {
		t.Errorf("%d lines, of which %d are reported", format.Count, len(format.Lines))
	}
	if got := err.Error(); len(got) > 4000 || !strings.HasSuffix(got, "; and lines 11-5000") {
		t.Errorf("the message has %d bytes and ends in %q", len(got), got[len(got)-20:])
	}
}

// TestAllBadLinesAreNamed: those that are not quoted by their numbers, up to
// what a message may hold.
func TestAllBadLinesAreNamed(t *testing.T) {
	const alternating = hexA + "\nx\n"
	for content, want := range map[string]string{
		strings.Repeat("x\n", 10): `line 10 has 1 character: "x"`,
		strings.Repeat("x\n", 11): `line 10 has 1 character: "x"; and line 11`,
		strings.Repeat("x\n", 12) + hexA + "\nx\n" + hexA + "\n#\nx\nx\n": `: "x"; and lines 11-12, 14, 17-18`,
		strings.Repeat(alternating, 12):                                   `line 20 has 1 character: "x"; and lines 22, 24`,
		strings.Repeat(alternating, 10+maxRanges+7):                       ", 4020, and 7 more",
	} {
		if _, err := read(strings.NewReader(content), 0); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the message %.2000v does not end in %q", err, want)
		}
	}
}

func TestLoadFileErrorsKeepTheList(t *testing.T) {
	dir := t.TempDir()
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	l := New(ModeAllow)
	if _, err := l.LoadFile(write(t, hexA)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, path string
		want       error
	}{
		{"missing", filepath.Join(dir, "missing"), fs.ErrNotExist},
		{"directory", dir, files.ErrNotRegular},
		{"device", os.DevNull, files.ErrNotRegular},
		{"link to itself", loop, nil},
		{"empty path", "", fs.ErrNotExist},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change, err := l.LoadFile(tc.path)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("the error is %v, want %v", err, tc.want)
			}
			if err != nil && !strings.Contains(err.Error(), tc.path) {
				t.Errorf("the error %q does not name the path", err)
			}
			if change != (Change{}) || l.Len() != 1 {
				t.Errorf("change %+v, %d hashes", change, l.Len())
			}
		})
	}
}

func TestLoadFileFollowsLinks(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(write(t, hexA), link); err != nil {
		t.Fatal(err)
	}
	if change, err := New(ModeAllow).LoadFile(link); err != nil || change.Total != 1 {
		t.Errorf("%+v, %v", change, err)
	}
}

func TestLoadFileSaysWhatChanged(t *testing.T) {
	l := New(ModeDeny)
	for _, step := range []struct {
		content string
		want    Change
	}{
		{hexA + "\n" + hexB, Change{Added: 2, Total: 2}},
		{hexA + "\n" + hexB, Change{Total: 2}},
		{hexB + "\n" + hexV2, Change{Added: 1, Removed: 1, Total: 2}},
		{"", Change{Removed: 2}},
		{hexA + "\n" + hexA, Change{Added: 1, Total: 1}},
	} {
		if change, err := l.LoadFile(write(t, step.content)); err != nil || change != step.want {
			t.Errorf("%q: %+v, %v, want %+v", step.content, change, err, step.want)
		}
		if l.Len() != step.want.Total {
			t.Errorf("%d hashes, want %d", l.Len(), step.want.Total)
		}
	}
}

// numbered returns a hash that holds i, at one end or the other.
func numbered(i int) (h bittorrent.InfoHash) {
	binary.LittleEndian.PutUint32(h[(i&1)*16:], uint32(i)+1)
	return h
}

func TestSetAgainstAMap(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 100, 5000} {
		model := map[bittorrent.InfoHash]bool{{}: true}
		hashes := []bittorrent.InfoHash{{}}
		for i := range n {
			for range i%3 + 1 { // some of them several times
				hashes = append(hashes, numbered(i))
			}
			model[numbered(i)] = true
		}
		s := newSet(hashes)
		if s.n != len(model) {
			t.Errorf("%d hashes, want %d", s.n, len(model))
		}
		all := 0
		for h := range s.all {
			if all++; !model[*h] {
				t.Fatalf("n = %d: %v is none of the hashes", n, h)
			}
		}
		if all != len(model) {
			t.Errorf("n = %d: all yields %d hashes, want %d", n, all, len(model))
		}
		for i := range 2 * n {
			h := numbered(i)
			if s.has(&h) != model[h] {
				t.Fatalf("n = %d: has(%v) is %t", n, h, !model[h])
			}
		}
	}
}

func TestSetBytesPerHash(t *testing.T) {
	const n = 100_000
	hashes := make([]bittorrent.InfoHash, n)
	for i := range hashes {
		hashes[i] = numbered(i)
	}
	s := newSet(hashes)
	bytes := s.bytes()
	if limit := 24 * n; bytes > limit {
		t.Errorf("%d bytes for %d hashes, want at most %d", bytes, n, limit)
	}
	for i := range hashes {
		hashes[i] = numbered(i % 10)
	}
	if got := cap(newSet(hashes).hashes); got > 20 {
		t.Errorf("the set of 10 hashes that come often has room for %d", got)
	}
}

// TestSetSpreadsMadeUpHashes: hashes that differ in a few bits only find places
// as easily as random ones do, and the tags keep others out.
func TestSetSpreadsMadeUpHashes(t *testing.T) {
	const n = 100_000
	for _, shift := range []int{0, 8, 16} { // where in a hash they differ
		made := func(i int) (h bittorrent.InfoHash) {
			binary.LittleEndian.PutUint32(h[shift:], uint32(i))
			return h
		}
		hashes := make([]bittorrent.InfoHash, n)
		for i := range hashes {
			hashes[i] = made(i)
		}
		s := newSet(hashes)
		if limit := 24 * n; s.bytes() > limit {
			t.Errorf("shift %d: %d bytes for %d hashes, want at most %d", shift, s.bytes(), n, limit)
		}
		passed := 0
		for i := range n {
			h := made(n + i)
			a, b, tag := s.find(&h)
			x := (uint64(s.tags[a]) | uint64(s.tags[b])<<32) ^ ones*tag
			if (x-ones)&^x&highs != 0 {
				passed++
			}
		}
		if passed > n/20 { // about 3 % are expected
			t.Errorf("shift %d: the tags let %d of %d other hashes pass", shift, passed, n)
		}
	}
}

// TestSetKeepsZerosOut: an empty slot is all zeros, and so is a hash that anybody
// can ask for.
func TestSetKeepsZerosOut(t *testing.T) {
	var zeros bittorrent.InfoHash
	hashes := []bittorrent.InfoHash{numbered(1), numbered(2)}
	for range 200_000 { // each with a seed of its own
		if s := newSet(hashes); s.has(&zeros) {
			t.Fatalf("zeros are in the set with seed %x", s.seed)
		}
	}
}

// TestSetFindsPlaces: lists of any length find places for all, also where buckets
// are so few that some builds fail.
func TestSetFindsPlaces(t *testing.T) {
	for n := range 300 {
		hashes := make([]bittorrent.InfoHash, n)
		for i := range hashes {
			hashes[i] = numbered(i)
		}
		s := newSet(hashes)
		for i := range hashes {
			if !s.has(&hashes[i]) {
				t.Fatalf("of %d hashes, number %d is not in the set", n, i)
			}
		}
	}
	if s := build([]bittorrent.InfoHash{numbered(0), numbered(1), numbered(2), numbered(3), numbered(4)}, 1); s != nil {
		t.Error("five hashes found places in a bucket of four")
	}
}

func TestAllowsDoesNotAllocate(t *testing.T) {
	l := New(ModeDeny)
	if _, err := l.LoadFile(write(t, hexA+"\n"+hexB)); err != nil {
		t.Fatal(err)
	}
	a, other := hash(t, hexA), bittorrent.InfoHash{1}
	if n := testing.AllocsPerRun(100, func() {
		l.Allows(a)
		l.Allows(&other)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestReloadWhileAsked(t *testing.T) {
	l := New(ModeAllow)
	both, one := write(t, hexA+"\n"+hexB), write(t, hexA)
	if _, err := l.LoadFile(both); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var loads, lookups sync.WaitGroup
	for range 2 {
		lookups.Go(func() {
			a := *hash(t, hexA)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if !l.Allows(&a) {
					t.Error("a hash that is in every version was refused")
					return
				}
			}
		})
		loads.Go(func() {
			for range 100 {
				for _, path := range []string{one, both} {
					if _, err := l.LoadFile(path); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	loads.Wait()
	close(stop)
	lookups.Wait()
	if l.Len() != 2 {
		t.Errorf("%d hashes at the end, want 2", l.Len())
	}
}

// TestLoadFileWithoutLines: a file of any size that is no list takes no time.
func TestLoadFileWithoutLines(t *testing.T) {
	for _, begin := range []string{"", "# a comment "} {
		l := New(ModeAllow)
		if _, err := l.LoadFile(write(t, hexA+"\n")); err != nil {
			t.Fatal(err)
		}
		path := write(t, begin)
		if err := os.Truncate(path, 1<<40); err != nil { // of which nothing is on the disk
			t.Fatal(err)
		}
		if _, err := l.LoadFile(path); !errors.Is(err, errEndless) || !strings.Contains(err.Error(), path) {
			t.Errorf("the error is %v, want %v", err, errEndless)
		}
		if l.Len() != 1 {
			t.Errorf("the old list is gone: %d hashes", l.Len())
		}
	}
}
