package load

import "bytes"

// malform turns the announce in r into one that a tracker has to refuse, by a
// failure reason or by an HTTP error.
func (s *source) malform(r *request) {
	r.kind = KindMalformed
	s.begin(r, "/announce")
	start := len(r.head)
	r.head = r.shape.appendQuery(r.head, &r.a)
	query := r.head[start:]
	switch s.rng.IntN(4) {
	case 0: // no info hash
		copy(query[bytes.Index(query, []byte("info_hash=")):], "info_hush=")
	case 1: // no port
		copy(query[bytes.Index(query, []byte("port=")):], "pork=")
	case 2: // an info hash of 21 bytes
		at := start + bytes.Index(query, []byte("info_hash=")) + len("info_hash=")
		r.head = append(r.head, 0)
		copy(r.head[at+1:], r.head[at:])
		r.head[at] = 'A'
	case 3: // a second info hash
		r.head = append(r.head, "&info_hash=AAAAAAAAAAAAAAAAAAAA"...)
	}
	s.finish(r)
}
