package server

import (
	"golang.org/x/sys/unix"

	"spate/internal/loop"
)

// sendMore are the flags that keep the last bytes of a connection back until
// its FIN can go with them.
const sendMore = unix.MSG_MORE | unix.MSG_NOSIGNAL

// acknowledge has what was received acknowledged now.
func acknowledge(fd uintptr) { loop.QuickACK(int(fd)) }
