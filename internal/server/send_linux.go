package server

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// sendMore are the flags that keep the last bytes of a connection back until
// its FIN can go with them.
const sendMore = unix.MSG_MORE | unix.MSG_NOSIGNAL

// refuse lets a listening TCP socket ignore new connections.
func refuse(l net.Listener) error {
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = loop.Refuse(int(fd)) })
	return errors.Join(err, failed)
}

// acknowledge has what was received acknowledged now.
func acknowledge(fd uintptr) { loop.QuickACK(int(fd)) }
