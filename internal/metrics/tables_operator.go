package metrics

import "slices"

// stateMetrics are about the tracker as a whole.
func stateMetrics() []metric {
	return []metric{
		{
			"state", gauge,
			"1 for the state that the tracker is in, as /health says it, 0 for the others. Stuck is an event loop that hangs, or a sweep that does not come to an end.",
			[]string{"state"},
			func(s *Snapshot, emit emitFunc) {
				for _, state := range States() {
					emit(bit(s.State == state), state)
				}
			},
		},
	}
}

// savedMetrics are about the swarms on the disk. There are none where no swarms
// are kept.
func savedMetrics() []metric {
	saved := func(value func(*Saved) float64) func(*Snapshot, emitFunc) {
		return func(s *Snapshot, emit emitFunc) {
			if s.Saved != nil {
				emit(value(s.Saved))
			}
		}
	}
	return []metric{
		{
			"snapshot_timestamp_seconds", gauge,
			"When the snapshot of the swarms that is on the disk was written, as Unix time; 0 where there is none yet.",
			nil, saved(func(s *Saved) float64 { return unixSeconds(s.Written) }),
		},
		{
			"snapshot_size_bytes", gauge, "Size of the snapshot that is on the disk.",
			nil, saved(func(s *Saved) float64 { return float64(s.Bytes) }),
		},
		{
			"snapshot_last_write_duration_seconds", gauge, "How long the last write of a snapshot took, 0 before the first one.",
			nil, saved(func(s *Saved) float64 { return s.Took.Seconds() }),
		},
		{
			"snapshot_last_write_successful", gauge,
			"Whether the last write of a snapshot succeeded: 0 means that the one before it is still on the disk. It is 1 before the first one.",
			nil, saved(func(s *Saved) float64 { return bit(s.Good) }),
		},
		{
			"snapshot_writes_total", counter, "Writes of a snapshot, by result.",
			[]string{"result"},
			counts(func(s *Snapshot) []Count {
				if s.Saved == nil {
					return nil
				}
				return s.Saved.Writes
			}),
		},
	}
}

// accessModes is the closed set of the access list's modes.
var accessModes = []string{"allow", "deny", "off"}

// reloadMetrics are about what operators reload: the access list and the
// certificates.
func reloadMetrics() []metric {
	return []metric{
		{
			"access_list_mode", gauge, "1 for the mode that the access list is in, 0 for the others.",
			[]string{"mode"},
			func(s *Snapshot, emit emitFunc) {
				for _, mode := range accessModes {
					emit(bit(s.Access.Mode == mode), mode)
				}
			},
		},
		{
			"access_list_entries", gauge, "Torrents in the access list in use.",
			nil, one(func(s *Snapshot) int { return s.Access.Entries }),
		},
		{
			"access_list_last_reload_timestamp_seconds", gauge,
			"When the access list in use was loaded, as Unix time; 0 where there is none.",
			nil, func(s *Snapshot, emit emitFunc) { emit(unixSeconds(s.Access.LastReload)) },
		},
		{
			"access_list_last_reload_successful", gauge,
			"Whether the access list could be loaded the last time: 0 means that the file was refused and the list before it is still in use.",
			nil, func(s *Snapshot, emit emitFunc) {
				emit(bit(s.Access.LastReloadGood || !slices.Contains([]string{"allow", "deny"}, s.Access.Mode)))
			},
		},
		{
			"access_list_reloads_total", counter, "Times that the access list was loaded, by result.",
			[]string{"result"},
			counts(func(s *Snapshot) []Count { return s.Access.Reloads }),
		},
		{
			"tls_certificate_expiry_timestamp_seconds", gauge, "When a certificate stops being valid, as Unix time.",
			[]string{"certificate"},
			func(s *Snapshot, emit emitFunc) {
				for _, c := range s.Certificates {
					emit(unixSeconds(c.Expiry), c.Name)
				}
			},
		},
	}
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
