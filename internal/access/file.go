package access

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"spate/internal/bittorrent"
	"spate/internal/files"
)

const (
	// maxReported is how many bad lines an error quotes; of the others it holds
	// the numbers.
	maxReported = 10
	// maxRanges is how many ranges of numbers of further bad lines an error
	// holds; lines beyond are counted. It keeps the message shorter than the
	// 48 KiB at which systemd's journal cuts a line.
	maxRanges = 2000
	// maxQuoted is how many bytes of a bad line an error holds.
	maxQuoted = 48
	// lineBuffer is the longest line in bytes that is looked at as a whole. Of a
	// longer one, only what follows a # may lie beyond.
	lineBuffer = 64 << 10
	// maxSkipped is how many bytes of a longer line are passed over.
	maxSkipped = 16 << 20
	// lineLen is the length of a usual line: 40 digits and a newline.
	lineLen = 2*bittorrent.InfoHashLen + 1
	// maxPrealloc bounds the room for hashes that is taken because of a file's
	// size alone, before any line of it was seen.
	maxPrealloc = 1 << 21
	// maxHashes is what the set's index can count.
	maxHashes uint64 = math.MaxUint32
	// digitsV2 is the length of a v2 info hash in hex digits.
	digitsV2 = 64
)

// errEndless ends the reading of what has no lines, such as a sparse file of gigabytes.
var errEndless = fmt.Errorf("it is no list: a line is longer than %d MiB", maxSkipped>>20)

// BadLine is a line that is neither blank nor a comment nor an info hash.
type BadLine struct {
	Number  int    // from 1
	Text    string // its first bytes, quoted and escaped as in Go
	Problem string // what is wrong with it
}

// FormatError says which lines of an access list are bad.
type FormatError struct {
	Lines []BadLine // the first of them, in order
	// Further are the numbers of the lines after those, as ranges, first and
	// last, in order.
	Further [][2]int
	Count   int // how many there are, those included that are not named
}

// Error quotes the lines in FormatError.Lines, and has the numbers of the
// others.
func (e *FormatError) Error() string {
	var b strings.Builder
	noun := "lines"
	if e.Count == 1 {
		noun = "line"
	}
	fmt.Fprintf(&b, "%d bad %s, where 40 or 64 hex digits would be right: ", e.Count, noun)
	for i, line := range e.Lines {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "line %d %s: %s", line.Number, line.Problem, line.Text)
	}
	more := e.Count - len(e.Lines)
	for i, r := range e.Further {
		switch {
		case i > 0:
			b.WriteString(", ")
		case more == 1:
			b.WriteString("; and line ")
		default:
			b.WriteString("; and lines ")
		}
		b.WriteString(strconv.Itoa(r[0]))
		if r[1] > r[0] {
			b.WriteString("-" + strconv.Itoa(r[1]))
		}
		more -= r[1] - r[0] + 1
	}
	if more > 0 {
		fmt.Fprintf(&b, ", and %d more", more)
	}
	return b.String()
}

// readFile returns the info hashes of the access list at path, as they come.
// Its errors name the path.
func readFile(path string) ([]bittorrent.InfoHash, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("access list: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("access list: %w", err)
	}
	hashes, err := read(f, int(min(info.Size()/lineLen+1, maxPrealloc)))
	if err != nil {
		return nil, fmt.Errorf("access list %s: %w", strconv.Quote(path), err)
	}
	return hashes, nil
}

// read returns the info hashes of an access list, as they come. likely is how
// many are expected.
func read(r io.Reader, likely int) ([]bittorrent.InfoHash, error) {
	hashes := make([]bittorrent.InfoHash, 0, likely)
	var bad FormatError
	br := bufio.NewReaderSize(r, lineBuffer)
	for number := 1; ; number++ {
		line, long, err := readLine(br)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		text, comment := strip(line)
		var h bittorrent.InfoHash
		switch {
		case long && !comment:
			bad.add(number, text, "is longer than "+strconv.Itoa(lineBuffer)+" bytes")
		case len(text) == 0:
		case uint64(len(hashes)) == maxHashes:
			return nil, fmt.Errorf("more than %d info hashes", maxHashes)
		default:
			if problem := parseHash(text, &h); problem != "" {
				bad.add(number, text, problem)
			} else if bad.Count == 0 {
				hashes = append(hashes, h)
			}
		}
		if err == io.EOF {
			break
		}
	}
	if bad.Count > 0 {
		return nil, &bad
	}
	return hashes, nil
}

// readLine returns the next line, its end included, which is valid until the next
// call. Of a line that is longer than the buffer it returns what fits, and long is
// true. err is nil, io.EOF, which may come together with the last line, or the
// error of the read.
func readLine(br *bufio.Reader) (line []byte, long bool, err error) {
	line, err = br.ReadSlice('\n')
	if err != bufio.ErrBufferFull {
		return line, false, err
	}
	// The rest overwrites the buffer, so keep as much as anyone looks at.
	line = bytes.Clone(line)
	for skipped := 0; err == bufio.ErrBufferFull; {
		var more []byte
		if more, err = br.ReadSlice('\n'); err == bufio.ErrBufferFull {
			if skipped += len(more); skipped > maxSkipped {
				return nil, true, errEndless
			}
		}
	}
	return line, true, err
}

// strip returns line without its comment and without the blanks around it, and
// whether there was a comment.
func strip(line []byte) (text []byte, comment bool) {
	text, _, comment = bytes.Cut(line, []byte("#"))
	return bytes.Trim(text, " \t\r\n"), comment
}

// parseHash decodes an info hash of 40 or 64 hex digits to h. It returns what is
// wrong with text, or "".
func parseHash(text []byte, h *bittorrent.InfoHash) (problem string) {
	var raw [digitsV2 / 2]byte
	if len(text) != hex.EncodedLen(len(h)) && len(text) != digitsV2 {
		if len(text) == 1 {
			return "has 1 character"
		}
		return "has " + strconv.Itoa(len(text)) + " characters"
	}
	if _, err := hex.Decode(raw[:], text); err != nil {
		return "has a character that is no hex digit"
	}
	copy(h[:], raw[:])
	return ""
}

// add notes a bad line.
func (e *FormatError) add(number int, text []byte, problem string) {
	e.Count++
	if len(e.Lines) == maxReported {
		e.addNumber(number)
		return
	}
	quoted := strconv.Quote(string(text[:min(len(text), maxQuoted)]))
	if len(text) > maxQuoted {
		quoted += "…"
	}
	e.Lines = append(e.Lines, BadLine{number, quoted, problem})
}

// addNumber notes the number of a bad line that is not quoted.
func (e *FormatError) addNumber(number int) {
	last := len(e.Further) - 1
	switch {
	case last >= 0 && e.Further[last][1] == number-1:
		e.Further[last][1] = number
	case len(e.Further) < maxRanges:
		e.Further = append(e.Further, [2]int{number, number})
	}
}
