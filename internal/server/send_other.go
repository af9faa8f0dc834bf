//go:build unix && !linux

package server

// sendMore is 0: there is no such flag here.
const sendMore = 0
