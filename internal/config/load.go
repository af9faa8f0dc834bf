package config

import (
	"errors"
	"fmt"
	"os"

	"spate/internal/files"
	"spate/internal/tomlfile"
)

// Load reads the configuration file at path. Keys that it does not give keep
// their defaults. Its error is a tomlfile.Problems with everything that is wrong:
// syntax, unknown keys, wrong types, values out of range, and values that do
// not go together.
func Load(path string) (Config, error) { return load(path, files.Read) }

// LoadAgain is Load for a tracker that runs, which must not wait for the other end of
// a FIFO: a path that is no regular file is a problem.
func LoadAgain(path string) (Config, error) { return load(path, files.ReadRegular) }

func load(path string, read func(string) ([]byte, error)) (Config, error) {
	data, err := read(path)
	if err != nil {
		var pathErr *os.PathError
		if errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return Config{}, tomlfile.Problems{{File: path, Text: fmt.Sprintf("cannot be read: %v", err)}}
	}
	return Parse(path, data)
}

// Parse is Load for a file that was already read. Name is what problems call it.
func Parse(name string, data []byte) (Config, error) {
	c := Default()
	var problems tomlfile.Problems
	c.source, problems = tomlfile.Decode(name, data, &c)
	if !problems.Has("network.address") {
		problems = append(problems, c.oneAddress()...)
	}
	if err := c.source.Merge(problems, c.validate()).Err(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// File returns the path that the configuration was loaded from, or "".
func (c *Config) File() string { return c.source.File() }

// IsSet reports whether the file gives the key at path ("network.use_ipv6").
func (c *Config) IsSet(path string) bool { return c.source.IsSet(path) }

// Problem returns a problem of the key at path ("network.address_ipv4",
// "listeners[0].address"), with its file and line.
func (c *Config) Problem(path, format string, args ...any) tomlfile.Problem {
	return c.source.Problem(path, format, args...)
}
