package http1

import "errors"

// ErrIncomplete says that the buffer ends before the head does: read more and
// parse again. It is the only error of a parser here that is no verdict.
var ErrIncomplete = errors.New("http1: incomplete head")

// StatusError is the verdict on a request head that is refused: the status of
// the reply, after which the connection closes. The values are the sentinels
// below, to be compared with ==.
type StatusError struct {
	// Status is the HTTP status of the reply: 400, 405, 414 or 431.
	Status int
	// Reason says in a few words what was wrong, as a label for counters.
	Reason string
}

// Error implements error.
func (e *StatusError) Error() string { return "http1: " + e.Reason }

// The verdicts on a request head. The first fault in the order of the bytes
// decides; ParseHead says what each of them covers.
var (
	ErrRequestLine   = &StatusError{Status: 400, Reason: "malformed request line"}
	ErrHeaderLine    = &StatusError{Status: 400, Reason: "malformed header line"}
	ErrHost          = &StatusError{Status: 400, Reason: "two Host lines"}
	ErrBody          = &StatusError{Status: 400, Reason: "request with a body"}
	ErrMethod        = &StatusError{Status: 405, Reason: "method not allowed"}
	ErrTargetTooLong = &StatusError{Status: 414, Reason: "request target too long"}
	ErrHeadTooLong   = &StatusError{Status: 431, Reason: "request head too long"}
)
