package server

import "golang.org/x/sys/unix"

// sendMore are the flags that keep the last bytes of a connection back until
// its FIN can go with them.
const sendMore = unix.MSG_MORE | unix.MSG_NOSIGNAL
