package config

import (
	"io"

	"spate/internal/tomlfile"
)

const defaultHead = `# Configuration of Spate. These are the defaults: a key that is left out has
# the value below. Any configuration file of aquatic_http 0.9 works as well.

`

// WriteDefault writes the default configuration as TOML, with a comment on each
// key. Loading it gives the default configuration.
func WriteDefault(w io.Writer) error {
	_, err := io.WriteString(w, defaultHead+tomlfile.Print(Default(), docs))
	return err
}

// Write writes c as TOML that loads to the same values. Secrets are replaced by
// tomlfile.NotShown.
func (c *Config) Write(w io.Writer) error {
	_, err := io.WriteString(w, tomlfile.Print(c, nil))
	return err
}
