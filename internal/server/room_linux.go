package server

import "time"

// Where as many connections are open as may be, one that waits gives way to the next:
// whoever holds connections open would shut all others out otherwise.

const (
	// roomScan bounds how many connections are looked at for one that gives way.
	roomScan = 64
	// roomPatience is how long a head may take before its connection gives way. Honest
	// ones are there at once.
	roomPatience = time.Second
)

// makeRoom lets one of the others give way to a new connection of this loop: at once where
// the loop itself or the lot has one, and where only another loop does, for who comes next.
func (l *epollLoop) makeRoom() {
	if l.giveWay() || l.d.s.parkedGivesWay() {
		return
	}
	l.d.makeRoom()
}

// makeRoom lets a connection of each loop give way, soon.
func (d *epollDriver) makeRoom() {
	for _, l := range d.loops {
		l.crowded.Store(true)
		l.poller.Wake()
	}
}

// giveWay ends a connection of this loop that waits for a request, or for long for the
// rest of one, if there is any among the next few.
func (l *epollLoop) giveWay() bool {
	l.answerBatch() // what has come on them
	for range min(roomScan, l.ids.End()) {
		id := l.looked % l.ids.End()
		l.looked++
		switch r := l.records.At(id); {
		case r.state == stateIdle:
			if l.endIdle(id, endLimit) {
				return true
			}
		case r.state == stateHead && l.wheel.Due(id)-l.now <= l.d.s.rules.cfg.HeadTimeout-roomPatience:
			c := l.carry(id)
			l.end(&c, endLimit)
			return true
		}
	}
	return false
}

// parkedGivesWay ends a parked connection, of whatever driver.
func (s *Server) parkedGivesWay() bool {
	for _, d := range s.drivers {
		if d, ok := d.(*goroutineDriver); ok && d.lot.giveWay() {
			return true
		}
	}
	return false
}

// makeRoom lets one of the others give way to a new connection of this driver: at once
// where one is parked, and where only loops have any, for who comes next.
func (d *goroutineDriver) makeRoom() {
	if d.lot.giveWay() {
		return
	}
	for _, o := range d.s.drivers {
		if o, ok := o.(*epollDriver); ok {
			o.makeRoom()
		}
	}
}

// giveWay ends a parked connection, if there is any among the next few.
func (l *lot) giveWay() bool {
	c := l.takeAny()
	return c != nil && c.giveWay()
}

func (l *lot) takeAny() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range min(roomScan, l.ids.End()) {
		id := l.looked % l.ids.End()
		l.looked++
		if *l.conns.At(id) != nil {
			return l.take(id)
		}
	}
	return nil
}
