package httpwire

import (
	"encoding/binary"
	"math/bits"

	"spate/internal/bittorrent"
)

// notHex marks in unhex a byte that is no hex digit. Every digit is below it,
// so one comparison of two digits or-ed together judges both.
const notHex = 0x80

// unhex holds for each byte the value of the hex digit it is, either case, or
// notHex. A table, since a digit's class is as random as an info hash, and
// branches on it mispredict: the price is four lines of cache.
var unhex = func() (t [256]byte) {
	for i := range t {
		t[i] = notHex
	}
	for i := byte(0); i < 10; i++ {
		t['0'+i] = i
	}
	for i := byte(0); i < 6; i++ {
		t['a'+i], t['A'+i] = 10+i, 10+i
	}
	return t
}()

// literal holds for each byte what it stands for outside an escape.
var literal = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
	}
	t['+'] = ' '
	return t
}()

// maxValue is the longest value in bytes, after unescaping, that any parameter
// but info_hash and peer_id makes use of: `[` address `%` zone `]:` port fits.
const maxValue = 64

// maxHashValue is one more than the longest info_hash that is told apart from
// others: 64 hex digits.
const maxHashValue = 65

// Masks for looking at 8 bytes at once in one word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// nextParam splits query after its first parameter. Parameters are separated
// by & only. They are so short that eight bytes at a time, here, take half the
// time of bytes.IndexByte, which is a call.
func nextParam(query []byte) (param, rest []byte) {
	i := 0
	for ; len(query)-i >= 8; i += 8 {
		x := binary.LittleEndian.Uint64(query[i:]) ^ ones*'&'
		// The lowest bit that is set here belongs to the first byte of x that
		// is zero; bits above it may be wrong.
		if zero := (x - ones) &^ x & highs; zero != 0 {
			i += bits.TrailingZeros64(zero) / 8
			return query[:i], query[i+1:]
		}
	}
	for ; i < len(query); i++ {
		if query[i] == '&' {
			return query[:i], query[i+1:]
		}
	}
	return query, nil
}

// takeFixed takes the parameter name, with its 20 bytes decoded to dst, from the
// front of query, and returns what follows it. It is not ok, and dst is garbage,
// where query begins otherwise or the value is not 20 bytes in good escapes:
// nextParam and unescape then find out what it is. Both info_hash and peer_id
// nearly always come this way, which decodes and looks for the & in one walk.
func takeFixed(query []byte, name string, dst *[20]byte) (rest []byte, ok bool) {
	if len(query) < len(name) || string(query[:len(name)]) != name {
		return nil, false
	}
	i := len(name)
	for n := range dst {
		if i >= len(query) {
			return nil, false
		}
		c := query[i]
		if c == '%' {
			if i+2 >= len(query) {
				return nil, false
			}
			hi, lo := unhex[query[i+1]], unhex[query[i+2]]
			if hi|lo >= notHex {
				return nil, false
			}
			dst[n] = hi<<4 | lo
			i += 3
			continue
		}
		if c == '&' {
			return nil, false
		}
		dst[n] = literal[c]
		i++
	}
	if i == len(query) {
		return nil, true
	}
	return query[i+1:], query[i] == '&'
}

// unescape decodes v to dst: %xx in either case, + as a space, every other byte
// as it is. It returns how many bytes v decodes to, also where dst held only
// the first of them. ok is false, and n is 0, where a % lacks its two digits.
func unescape(dst, v []byte) (n int, ok bool) {
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch c {
		case '%':
			if len(v)-i < 3 {
				return 0, false
			}
			hi, lo := unhex[v[i+1]], unhex[v[i+2]]
			if hi|lo >= notHex {
				return 0, false
			}
			c = hi<<4 | lo
			i += 2
		default:
			c = literal[c]
		}
		if n < len(dst) {
			dst[n] = c
		}
		n++
	}
	return n, true
}

// plain returns v unescaped: v itself where it has no escapes, as nearly all
// values have, otherwise a part of scratch. It returns nil where an escape is
// bad or the result does not fit, which no usable value is.
func plain(v []byte, scratch *[maxValue]byte) []byte {
	for _, c := range v {
		if c == '%' || c == '+' {
			n, ok := unescape(scratch[:], v)
			if !ok || n > len(scratch) {
				return nil
			}
			return scratch[:n]
		}
	}
	return v
}

// parseInfoHash decodes v, the value of an info_hash, to h.
func parseInfoHash(v []byte, h *bittorrent.InfoHash) bittorrent.Failure {
	n, ok := unescape(h[:], v)
	switch {
	case !ok:
		return bittorrent.FailureInfoHashEscape
	case n == bittorrent.InfoHashLen, n == infoHashLenV2:
		return bittorrent.FailureNone
	}
	return wrongInfoHash(v)
}

// infoHashLenV2 is the length in bytes of a whole v2 info hash. Trackers are
// sent its first 20 bytes (BEP 52); a client that sends them all means the same.
const infoHashLenV2 = 32

// wrongInfoHash says what is wrong with an info_hash of neither length, whose
// escapes are good.
func wrongInfoHash(v []byte) bittorrent.Failure {
	var scratch [maxHashValue]byte
	n, _ := unescape(scratch[:], v)
	if n != 2*bittorrent.InfoHashLen && n != 2*infoHashLenV2 {
		return bittorrent.FailureInfoHashLength
	}
	for _, c := range scratch[:n] {
		if unhex[c] == notHex {
			return bittorrent.FailureInfoHashLength
		}
	}
	return bittorrent.FailureInfoHashHex
}
