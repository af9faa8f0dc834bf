//go:build unix && !linux

package server

import "net"

// sendMore is 0: there is no such flag here.
const sendMore = 0

// refuse lets a listening TCP socket ignore new connections, where it can be told so.
func refuse(net.Listener) error { return nil }

// acknowledge has what was received acknowledged now, where the system can be told so.
func acknowledge(uintptr) {}
