// Package swarm makes the torrents that the end-to-end tests move, and asks the
// tracker about them.
package swarm

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/anacrolix/torrent/bencode"
	"github.com/anacrolix/torrent/metainfo"
)

// pieceLength is short, so that even small contents have pieces to trade.
const pieceLength = 64 << 10

// A File is one file of a torrent's content.
type File struct {
	Path string // below the torrent's name; "" for a single file of that name
	Size int64
}

// Single and Multi are the two shapes of content: one file that ends inside a
// piece, and several of very different sizes that share pieces, in directories.
var (
	Single = []File{{Size: 5<<20 + 7}}
	Multi  = []File{
		{Path: "one byte", Size: 1},
		{Path: "a/block.bin", Size: 16 << 10},
		{Path: "a/b/odd.bin", Size: 700_001},
		{Path: "a/piece.bin", Size: pieceLength},
		{Path: "large.bin", Size: 3<<20 + 1},
	}
)

// A Torrent is content on disk with its metainfo.
type Torrent struct {
	Name     string
	Path     string // of the metainfo file
	Dir      string // directory that holds the content
	InfoHash metainfo.Hash
	files    []File
}

// New writes content of pseudo-random bytes, different for each name, and a
// private torrent for it that knows the given tracker alone.
func New(t testing.TB, name string, files []File, announceURL string) *Torrent {
	t.Helper()
	dir := t.TempDir()
	tr := &Torrent{Name: name, Path: filepath.Join(dir, name+".torrent"), Dir: filepath.Join(dir, "content"), files: files}
	bytesOf := rand.NewChaCha8(sha256.Sum256([]byte(name)))
	for _, f := range files {
		path := tr.path(tr.Dir, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(out, bytesOf, f.Size); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	tr.describe(t, announceURL)
	return tr
}

// Through returns the same torrent with another tracker URL in its metainfo file.
func (tr *Torrent) Through(t testing.TB, announceURL string) *Torrent {
	t.Helper()
	other := *tr
	other.Path = filepath.Join(t.TempDir(), tr.Name+".torrent")
	other.describe(t, announceURL)
	return &other
}

// describe writes the metainfo file.
func (tr *Torrent) describe(t testing.TB, announceURL string) {
	t.Helper()
	private := true
	info := metainfo.Info{PieceLength: pieceLength, Private: &private}
	if err := info.BuildFromFilePath(filepath.Join(tr.Dir, tr.Name)); err != nil {
		t.Fatal(err)
	}
	infoBytes, err := bencode.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	mi := metainfo.MetaInfo{InfoBytes: infoBytes, Announce: announceURL}
	var buf bytes.Buffer
	if err := mi.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tr.Path, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	tr.InfoHash = mi.HashInfoBytes()
}

// Same returns nil if dir holds the torrent's content to the last byte.
func (tr *Torrent) Same(dir string) error {
	for _, f := range tr.files {
		got, want := tr.path(dir, f), tr.path(tr.Dir, f)
		stat, err := os.Stat(got)
		if err != nil {
			return fmt.Errorf("%s: not there yet", filepath.Join(tr.Name, f.Path))
		}
		if stat.Size() != f.Size {
			return fmt.Errorf("%s: %d bytes of %d", filepath.Join(tr.Name, f.Path), stat.Size(), f.Size)
		}
		same, err := sameFile(got, want)
		if err != nil {
			return err
		}
		if !same {
			return fmt.Errorf("%s: the contents differ", filepath.Join(tr.Name, f.Path))
		}
	}
	return nil
}

func (tr *Torrent) path(dir string, f File) string {
	return filepath.Join(dir, tr.Name, filepath.FromSlash(f.Path))
}

func sameFile(a, b string) (bool, error) {
	x, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	y, err := os.ReadFile(b)
	return bytes.Equal(x, y), err
}
