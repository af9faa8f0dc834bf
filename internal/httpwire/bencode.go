package httpwire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// ErrBencode is what every error of a reply that is not one canonical bencoded
// dictionary wraps: keys out of order or twice, a number with a leading zero, a
// string cut short, bytes behind the end.
var ErrBencode = errors.New("not canonical bencode")

// maxDepth is how deep a value may be nested. Replies need 4.
const maxDepth = 16

// decoder reads canonical bencode (BEP 3) from the front. After an error, which
// it keeps, every method returns zero and every loop over more ends, so that
// callers look at err once, at the end.
type decoder struct {
	src []byte
	pos int
	err error
}

// fail keeps err as the first error, with where in the source it was seen.
func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d: %w", d.pos, err)
	}
	d.pos = len(d.src)
}

// syntax fails with what was expected.
func (d *decoder) syntax(want string) {
	if d.err == nil {
		d.fail(fmt.Errorf("%w: want %s", ErrBencode, want))
	}
}

// peek returns the next byte, 0 at the end, which begins no value.
func (d *decoder) peek() byte {
	if d.pos < len(d.src) {
		return d.src[d.pos]
	}
	return 0
}

// open reads the d of a dictionary or the l of a list.
func (d *decoder) open(kind byte) {
	if d.peek() != kind {
		d.syntax("the start of a dictionary or list")
		return
	}
	d.pos++
}

// more reports whether the dictionary or list that is being read goes on.
// Otherwise it reads its end.
func (d *decoder) more() bool {
	if d.err != nil || d.pos == len(d.src) {
		d.syntax("the end of a dictionary or list")
		return false
	}
	if d.src[d.pos] == 'e' {
		d.pos++
		return false
	}
	return true
}

// key reads a dictionary's next key, which must be greater than last, nil
// before the first.
func (d *decoder) key(last []byte) []byte {
	key := d.str()
	if last != nil && d.err == nil && bytes.Compare(key, last) <= 0 {
		d.syntax("keys in ascending order, each once")
		return nil
	}
	return key
}

// end fails where bytes are left.
func (d *decoder) end() {
	if d.err == nil && d.pos != len(d.src) {
		d.syntax("nothing after the value")
	}
}

// decimal reads decimal digits in their shortest form.
func (d *decoder) decimal() []byte {
	start := d.pos
	for d.pos < len(d.src) && d.src[d.pos]-'0' <= 9 {
		d.pos++
	}
	s := d.src[start:d.pos]
	if len(s) == 0 || len(s) > 1 && s[0] == '0' {
		d.syntax("a number in its shortest form")
		return nil
	}
	return s
}

// str reads a byte string, as a part of the source. It is not nil unless
// that failed.
func (d *decoder) str() []byte {
	n, ok := digits(d.decimal(), math.MaxInt32)
	if d.err != nil {
		return nil
	}
	if !ok || d.peek() != ':' || n > int64(len(d.src)-d.pos-1) {
		d.syntax("a string of the length that it says")
		return nil
	}
	d.pos++
	s := d.src[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return s
}

// count reads an integer from 0 to limit, which is at most maxInt.
func (d *decoder) count(limit int64) uint32 {
	if d.peek() != 'i' {
		d.syntax("an integer")
		return 0
	}
	d.pos++
	n, ok := digits(d.decimal(), limit)
	if d.err != nil {
		return 0
	}
	if !ok || n > limit || d.peek() != 'e' {
		d.syntax("an integer within its range")
		return 0
	}
	d.pos++
	return uint32(n)
}

// skip reads any value. depth is how deep it is nested already.
func (d *decoder) skip(depth int) {
	if depth > maxDepth {
		d.syntax("less nesting")
		return
	}
	switch c := d.peek(); {
	case c == 'i':
		d.skipInt()
	case c == 'l':
		d.open('l')
		for d.more() {
			d.skip(depth + 1)
		}
	case c == 'd':
		d.open('d')
		for last := []byte(nil); d.more(); {
			last = d.key(last)
			d.skip(depth + 1)
		}
	default:
		d.str()
	}
}

// skipInt reads an integer of any size, perhaps negative.
func (d *decoder) skipInt() {
	d.pos++
	negative := d.peek() == '-'
	if negative {
		d.pos++
	}
	s := d.decimal()
	if d.err != nil {
		return
	}
	if d.peek() != 'e' || negative && s[0] == '0' {
		d.syntax("an integer in its shortest form")
		return
	}
	d.pos++
}
