//go:build !linux

package daemon

import "errors"

func canDrop() error {
	return errors.New("works on Linux only: start the tracker as another user instead")
}

func (id *identity) drop() error { return canDrop() }

// A trial tries files with the rights that the process will have.
type trial struct{ id *identity }

func (trial) check(string) error { return canDrop() }

func (trial) checkCreate(string) error { return canDrop() }
