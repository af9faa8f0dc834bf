//go:build !linux

package daemon

import "errors"

func canDrop() error {
	return errors.New("works on Linux only: start the tracker as another user instead")
}

func (id *identity) drop() error { return canDrop() }

// reader tries files with the rights that the process will have.
type reader struct{ id *identity }

func (reader) check(string) error { return canDrop() }

func (reader) checkCreate(string) error { return canDrop() }
