package load

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// defaultFile is the configuration that a run without one has, with comments.
//
//go:embed default.toml
var defaultFile string

// DefaultFile returns the default configuration as a commented TOML file.
func DefaultFile() string { return defaultFile }

// LoadFile reads a configuration file. Keys that it leaves out have
// aquatic_http_load_test's defaults. The error names each key that is unknown or
// wrong, with its line where there is one.
func LoadFile(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	doc, err := ParseTOML(b)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	cfg := aquaticConfig()
	if err := doc.Config(&cfg); err != nil {
		return Config{}, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return cfg, nil
}

// Config writes the document into cfg, and reports everything that is wrong with
// it, values that are out of range included.
func (d *Document) Config(cfg *Config) error {
	if err := d.Into(cfg); err != nil {
		return err
	}
	return d.Locate(cfg.Validate())
}

// Print returns cfg as a TOML file without comments.
func (c *Config) Print() (string, error) {
	b, err := toml.Marshal(c)
	return string(b), err
}
