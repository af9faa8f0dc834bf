package server

import (
	"os"

	"github.com/coreos/go-systemd/v22/activation"
)

// Inherited returns the sockets that whoever started the process passed to it
// (systemd's socket activation), by the names that they were given: a socket
// unit's FileDescriptorName=, or the unit's own name. One name may stand for
// several sockets. It removes the environment variables that say so, since
// they are not for our children; a second call therefore finds nothing. The
// files are the caller's, to be closed once New has copied them.
func Inherited() map[string][]*os.File {
	byName := make(map[string][]*os.File)
	for _, f := range activation.Files(true) {
		byName[f.Name()] = append(byName[f.Name()], f)
	}
	return byName
}
