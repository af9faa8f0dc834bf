package load

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"

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
	cfg := aquaticConfig()
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&cfg); err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, explain(err))
	}
	if err := cfg.Validate(); err != nil {
		return Config{}, fmt.Errorf("configuration %s:\n%w", path, err)
	}
	return cfg, nil
}

// explain turns the decoder's errors into one line for each key.
func explain(err error) error {
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		var lines []error
		for i := range unknown.Errors {
			e := &unknown.Errors[i]
			row, _ := e.Position()
			lines = append(lines, fmt.Errorf("line %d: %s is no key of spate-load; spate-load -p prints all of them", row, strings.Join(e.Key(), ".")))
		}
		return errors.Join(lines...)
	case errors.As(err, &wrong):
		row, _ := wrong.Position()
		return fmt.Errorf("line %d: %s: %s", row, strings.Join(wrong.Key(), "."), strings.TrimPrefix(wrong.Error(), "toml: "))
	default:
		return err
	}
}

// Print returns cfg as a TOML file without comments.
func (c *Config) Print() (string, error) {
	b, err := toml.Marshal(c)
	return string(b), err
}
