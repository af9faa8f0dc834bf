package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// LogLevel says how much is logged.
type LogLevel string

// The log levels, from silent to everything.
const (
	LevelOff   LogLevel = "off"
	LevelError LogLevel = "error"
	LevelWarn  LogLevel = "warn"
	LevelInfo  LogLevel = "info"
	LevelDebug LogLevel = "debug"
	LevelTrace LogLevel = "trace"
)

// HeaderFormat says how the header with the client's address is read.
type HeaderFormat string

// The formats of Network.ReverseProxyIPHeaderFormat.
const (
	HeaderLastAddress   HeaderFormat = "last_address"
	HeaderForwarded     HeaderFormat = "forwarded"
	HeaderSingleAddress HeaderFormat = "single_address"
)

// ProxyKind says who names the address of a listener's clients.
type ProxyKind string

// The values of Listener.Proxy.
const (
	ProxyNone     ProxyKind = "none"
	ProxyHeader   ProxyKind = "header"
	ProxyProtocol ProxyKind = "proxy_protocol"
)

// Challenge says how an ACME authority makes sure of a name.
type Challenge string

// The values of ACME.Challenge.
const (
	ChallengeHTTP    Challenge = "http-01"     // RFC 8555, section 8.3
	ChallengeTLSALPN Challenge = "tls-alpn-01" // RFC 8737
)

// PrivatePeers says who is given peers with private addresses.
type PrivatePeers string

// The values of Protocol.HandOutPrivateAddresses.
const (
	PrivatePeersAuto   PrivatePeers = "auto"
	PrivatePeersAlways PrivatePeers = "always"
	PrivatePeersNever  PrivatePeers = "never"
)

// AccessMode says what the access list is for.
type AccessMode string

// The values of AccessList.Mode.
const (
	AccessOff   AccessMode = "off"
	AccessAllow AccessMode = "allow"
	AccessDeny  AccessMode = "deny"
)

// LogFormat is the form of a log line.
type LogFormat string

// The values of Log.Format.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// FileMode holds permission bits, written in octal digits.
type FileMode uint32

// MarshalText writes the mode in octal.
func (m FileMode) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%04o", uint32(m)), nil
}

// UnmarshalText reads octal digits.
func (m *FileMode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 8, 32)
	if err != nil || v > 0o777 {
		return errors.New(`needs permissions in octal digits such as "0660"`)
	}
	*m = FileMode(v)
	return nil
}

// Memory is a bound on memory.
type Memory struct {
	Auto  bool  // a share of what there is
	Bytes int64 // when Auto is false; 0 is no bound
}

// memoryUnits are the units of Memory, the ones that print uses first.
var memoryUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"KB", 1e3},
	{"B", 1},
}

// MarshalText writes "auto" or a size in the largest unit that divides it.
func (m Memory) MarshalText() ([]byte, error) {
	if m.Auto {
		return []byte("auto"), nil
	}
	for _, u := range memoryUnits[:4] {
		if m.Bytes != 0 && m.Bytes%u.bytes == 0 {
			return fmt.Appendf(nil, "%d %s", m.Bytes/u.bytes, u.name), nil
		}
	}
	return fmt.Appendf(nil, "%d", m.Bytes), nil
}

// UnmarshalText reads "auto", a number of bytes, or a number with a unit.
func (m *Memory) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if s == "auto" {
		*m = Memory{Auto: true}
		return nil
	}
	number, unit := s, int64(1)
	for _, u := range memoryUnits {
		if n, found := cutSuffixFold(s, u.name); found {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || strings.Trim(number, "0123456789.") != "" || v*float64(unit) >= 1<<62 {
		return errors.New(`needs "auto", a number of bytes, or a size such as "512 MiB" or "8 GiB"`)
	}
	*m = Memory{Bytes: int64(v * float64(unit))}
	return nil
}

// UnmarshalInteger reads a number of bytes.
func (m *Memory) UnmarshalInteger(v int64) error {
	return m.UnmarshalText(strconv.AppendInt(nil, v, 10))
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if len(s) < len(suffix) || !strings.EqualFold(s[len(s)-len(suffix):], suffix) {
		return s, false
	}
	return s[:len(s)-len(suffix)], true
}
