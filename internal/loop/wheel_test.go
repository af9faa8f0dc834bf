package loop

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWheelAgainstModel compares a wheel with a map from ids to deadlines.
func TestWheelAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		w := NewWheel(now)
		model := map[uint32]time.Duration{}
		id := rapid.Uint32Range(0, 1500)
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				i := id.Draw(t, "id")
				at := now + time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(t, "in"))
				w.Set(i, at)
				model[i] = at
			},
			"cancel": func(t *rapid.T) {
				i := id.Draw(t, "id")
				w.Cancel(i)
				delete(model, i)
			},
			"advance": func(t *rapid.T) {
				wait := w.Wait(now)
				if (wait < 0) != (len(model) == 0) || wait > Tick {
					t.Fatalf("with %d timers Wait is %v", len(model), wait)
				}
				now += time.Duration(rapid.Int64Range(0, int64(6*time.Minute)).Draw(t, "by"))
				for i, ok := w.Expire(now); ok; i, ok = w.Expire(now) {
					at, known := model[i]
					if !known || at > now {
						t.Fatalf("timer %d expired at %v, its deadline is %v (%v)", i, now, at, known)
					}
					delete(model, i)
				}
				for i, at := range model {
					// A deadline that was past when it was set takes a tick.
					if at < now-2*Tick {
						t.Fatalf("timer %d of %v has not expired at %v", i, at, now)
					}
				}
			},
			"": func(t *rapid.T) {
				if w.Len() != len(model) {
					t.Fatalf("%d timers, want %d", w.Len(), len(model))
				}
			},
		})
	})
}

// TestWheelExpiresEverything pushes every deadline back again and again, as
// busy kept connections do, then lets them all pass.
func TestWheelExpiresEverything(t *testing.T) {
	w := NewWheel(0)
	const n = 5000
	var now time.Duration
	for round := range 100 {
		now = time.Duration(round) * time.Second
		for i := range uint32(n) {
			w.Set(i, now+time.Duration(i)*time.Millisecond+3*time.Minute)
		}
		if i, ok := w.Expire(now); ok {
			t.Fatalf("timer %d expired although it was pushed back", i)
		}
	}
	gone := 0
	for _, ok := w.Expire(now + time.Hour); ok; _, ok = w.Expire(now + time.Hour) {
		gone++
	}
	if gone != n || w.Len() != 0 {
		t.Errorf("%d of %d timers expired, %d are left", gone, n, w.Len())
	}
}

func TestWheelAllocatesNothing(t *testing.T) {
	w := NewWheel(0)
	w.Set(999, time.Second)
	var now time.Duration
	if n := testing.AllocsPerRun(1000, func() {
		now += 10 * time.Millisecond
		w.Set(1, now+time.Second)
		w.Set(2, now+time.Minute)
		w.Cancel(2)
		w.Expire(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkWheelPushBack is what a request on a kept connection pays.
func BenchmarkWheelPushBack(b *testing.B) {
	w := NewWheel(0)
	const n = 1 << 14
	for i := range uint32(n) {
		w.Set(i, 3*time.Minute)
	}
	b.ReportAllocs()
	var now time.Duration
	var i uint32
	for b.Loop() {
		now += time.Microsecond
		i = (i*5 + 1) % n
		w.Set(i, now+3*time.Minute)
		w.Expire(now)
	}
}

// TestWheelFarDeadline: the farthest deadline is far, however old the process is.
func TestWheelFarDeadline(t *testing.T) {
	for _, start := range []time.Duration{0, time.Hour, MaxAhead - time.Hour} {
		w := NewWheel(start)
		w.Set(7, start+MaxAhead)
		if id, ok := w.Expire(start + 24*time.Hour); ok {
			t.Errorf("timer %d expired within a day of %v", id, start)
		}
	}
}
