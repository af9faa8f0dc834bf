package server

import "errors"

// haveLoops says whether plain TCP connections are carried by epoll loops.
const haveLoops = false

func newLoopDriver(*Server, []*socket) (driver, error) {
	return nil, errors.New("epoll loops are not built in")
}
