package load

import (
	"fmt"
	"os"

	"spate/internal/tomlfile"
)

const defaultHead = `# spate-load configuration. The keys up to [torrents], and those in it but
# distribution, are aquatic_http_load_test 0.9's: its files work unchanged.

`

// DefaultFile returns the default configuration as a commented TOML file.
func DefaultFile() string { return defaultHead + tomlfile.Print(DefaultConfig(), docs) }

// LoadFile reads a configuration file. Keys that it leaves out have
// aquatic_http_load_test's defaults. Unless the file cannot be read, the error is a
// tomlfile.Problems with every key that is unknown or wrong.
func LoadFile(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	cfg := aquaticConfig()
	source, problems := tomlfile.Decode(path, b, &cfg)
	if err := source.Merge(problems, cfg.Problems("")).Err(); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// Print returns cfg as a TOML file without comments.
func (c *Config) Print() string { return tomlfile.Print(c, nil) }
