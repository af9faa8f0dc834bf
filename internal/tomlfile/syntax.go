package tomlfile

import (
	"errors"
	"reflect"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// syntaxProblem says what keeps a file from being TOML at all. The mistake is
// mostly a value without its quotes, so the line's key is named, with what it
// needs. The value is not shown: it may be a secret.
func syntaxProblem(name string, data []byte, err error, root reflect.Type) Problem {
	p := Problem{File: name, Text: "is no valid TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
	var syntax *toml.DecodeError
	if !errors.As(err, &syntax) {
		return p
	}
	p.Line, _ = syntax.Position()
	path := pathAtLine(string(data), p.Line)
	if path == "" {
		return p
	}
	p.Key = DisplayKey(path)
	if len(syntax.Key()) == 0 { // otherwise the key itself is what is wrong
		if needs := whatNeeds(root, path); needs != "" {
			p.Text += "; it " + needs
		}
	}
	return p
}

var (
	headerLine = regexp.MustCompile(`^\s*(\[{1,2})\s*([A-Za-z0-9_.-]+)\s*\]{1,2}\s*(#.*)?$`)
	keyLine    = regexp.MustCompile(`^\s*([A-Za-z0-9_.-]+)\s*=`)
)

// pathAtLine returns the path of the key that a line of a file gives, as far as
// that shows without a parser, and "" where it gives none.
func pathAtLine(data string, line int) string {
	lines := strings.Split(data, "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	key := keyLine.FindStringSubmatch(lines[line-1])
	if key == nil {
		return ""
	}
	for i := line - 2; i >= 0; i-- {
		if header := headerLine.FindStringSubmatch(strings.TrimSuffix(lines[i], "\r")); header != nil {
			section := header[2]
			if header[1] == "[[" {
				section += "[0]" // whichever it is, the key is the same
			}
			return Join(section, key[1])
		}
	}
	return key[1]
}

// whatNeeds returns what the value of the key at path in a struct of type root needs to
// be, and "" where there is no such key.
func whatNeeds(root reflect.Type, path string) string {
	field, tag := reflect.New(root).Elem(), reflect.StructTag("")
	for name := range strings.SplitSeq(path, ".") {
		name, _, _ = strings.Cut(name, "[")
		if field, tag = fieldOf(field, name); !field.IsValid() {
			return ""
		}
		if isTableList(field) {
			field = NewElement(field.Type().Elem())
		}
	}
	if isSection(field) {
		return ""
	}
	return setValue(field, tag, &unstable.Node{}).Error() // no value fits
}
