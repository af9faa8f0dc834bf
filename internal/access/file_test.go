package access

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"spate/internal/bittorrent"
)

func TestReadFailsWithTheReader(t *testing.T) {
	broken := errors.New("disk on fire")
	r := io.MultiReader(strings.NewReader(hexA+"\n"+hexB), iotest.ErrReader(broken))
	if hashes, err := read(r, 1); !errors.Is(err, broken) || hashes != nil {
		t.Errorf("read = %v, %v, want %v", hashes, err, broken)
	}
	long := strings.NewReader(strings.Repeat("#", 2*lineBuffer))
	if hashes, err := read(io.MultiReader(long, iotest.ErrReader(broken)), 1); !errors.Is(err, broken) || hashes != nil {
		t.Errorf("within a long line: read = %v, %v, want %v", hashes, err, broken)
	}
}

// FuzzRead: no file makes the reader panic, and a list that it takes is taken
// again, with the same hashes, as plain lines.
func FuzzRead(f *testing.F) {
	f.Add([]byte(hexA + "\r\n# x\n\n\t" + hexB + " # y"))
	f.Add([]byte("\xef\xbb\xbf" + hexV2 + "\n" + hexA[:39]))
	f.Add([]byte("\xff\xfe0\x00"))
	f.Add([]byte(strings.Repeat(" ", lineBuffer) + hexA))
	f.Fuzz(func(t *testing.T, file []byte) {
		hashes, err := read(bytes.NewReader(file), 0)
		if err != nil {
			var format *FormatError
			if hashes != nil || !errors.As(err, &format) || format.Count < len(format.Lines) {
				t.Fatalf("%d hashes, %v", len(hashes), err)
			}
			if len(err.Error()) > 48<<10 {
				t.Fatalf("the message has %d bytes", len(err.Error()))
			}
			for _, c := range []byte(err.Error()) {
				if c < ' ' {
					t.Fatalf("the message %q is not escaped", err)
				}
			}
			return
		}
		var lines []byte
		for _, h := range hashes {
			lines = append(append(lines, h.String()...), '\n')
		}
		again, err := read(iotest.OneByteReader(bytes.NewReader(lines)), 0)
		if err != nil || len(again) != len(hashes) {
			t.Fatalf("%d hashes came back as %d, %v", len(hashes), len(again), err)
		}
		s := newSet(hashes)
		for i, h := range again {
			if h != hashes[i] || !s.has(&h) {
				t.Fatalf("hash %d, %v, came back as %v", i, hashes[i], h)
			}
		}
		if s.has(&bittorrent.InfoHash{}) && !bytes.Contains(lines, bytes.Repeat([]byte("0"), 40)) {
			t.Fatal("the set has a hash that is not in the file")
		}
	})
}
