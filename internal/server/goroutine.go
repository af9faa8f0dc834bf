//go:build unix

package server

import "errors"

func newGoroutineDriver(s *Server, sockets []*socket) (driver, error) {
	return nil, errors.New("wip")
}
