package config

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"spate/internal/spelling"
)

// assign decodes the value of the key at path into its field and checks it.
func (d *decoder) assign(path string, field reflect.Value, node *unstable.Node, line int) {
	raw := rawValue(node)
	if tagOf(d.root, path).Get("secret") != "" {
		raw = "" // a problem would show it
	}
	d.config.source.keys[path] = place{line: line, value: raw}
	var err error
	switch {
	case field.Kind() == reflect.Struct && node.Kind == unstable.InlineTable && !isText(field):
		d.inline(table{path, field}, node)
	case isTableList(field) && node.Kind == unstable.Array:
		d.elements(path, field, node)
	default:
		err = setValue(field, tagOf(d.root, path), node)
	}
	if err != nil {
		d.bad[path] = true
		d.problems = append(d.problems, d.config.Problem(path, "%v", err))
	}
}

// inline decodes an inline table, whose keys may be dotted as well.
func (d *decoder) inline(t table, node *unstable.Node) {
	for it := node.Children(); it.Next(); {
		d.keyValue(t, it.Node())
	}
}

// elements decodes an array of inline tables.
func (d *decoder) elements(path string, field reflect.Value, node *unstable.Node) {
	for it := node.Children(); it.Next(); {
		element := it.Node()
		if element.Kind != unstable.InlineTable {
			if element.Kind != unstable.Comment {
				d.problems = append(d.problems, d.config.Problem(path, "needs tables: [[%s]]", path))
			}
			continue
		}
		field.Set(reflect.Append(field, newElement(field.Type().Elem())))
		i := field.Len() - 1
		d.config.source.keys[fmt.Sprintf("%s[%d]", path, i)] = d.config.source.keys[path]
		d.inline(table{fmt.Sprintf("%s[%d]", path, i), field.Index(i)}, element)
	}
}

// setValue decodes one value. Its error says what the value needs to be.
func setValue(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	if field.Type() == reflect.TypeFor[[]netip.Prefix]() {
		return setPrefixes(field, node)
	}
	if field.Type() == reflect.TypeFor[[]string]() {
		return setStrings(field, node)
	}
	if isText(field) {
		if node.Kind != unstable.String && !(node.Kind == unstable.Integer && field.Type() == reflect.TypeFor[Memory]()) {
			return needsError("needs a string in quotes, " + example(field, tag))
		}
		text := string(node.Data)
		if v, err := integer(node); err == nil {
			text = strconv.FormatInt(v, 10)
		}
		return setText(field, tag, text)
	}
	switch field.Kind() {
	case reflect.Bool:
		if node.Kind != unstable.Bool {
			return needsError("needs true or false, without quotes")
		}
		field.SetBool(string(node.Data) == "true")
	case reflect.Int:
		return setInt(field, tag, node)
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" {
			return setEnum(field, strings.Fields(enum), node)
		}
		if node.Kind != unstable.String {
			return needsError("needs a string in quotes")
		}
		field.SetString(string(node.Data))
	default:
		return needsError("is a section and needs keys of its own")
	}
	return nil
}

// setInt decodes an integer within the bounds of the tag range:"LOW..HIGH".
func setInt(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	low, high := bounds(tag)
	v, err := integer(node)
	if err != nil || v < low || v > high {
		return needsError(fmt.Sprintf("needs a whole number from %d to %d", low, high))
	}
	field.SetInt(v)
	return nil
}

// integer returns the value of a TOML integer, which may be hexadecimal, octal or
// binary, and have underscores between its digits.
func integer(node *unstable.Node) (int64, error) {
	if node.Kind != unstable.Integer {
		return 0, needsError("needs a whole number")
	}
	return strconv.ParseInt(strings.ReplaceAll(string(node.Data), "_", ""), 0, 64)
}

func bounds(tag reflect.StructTag) (low, high int64) {
	before, after, _ := strings.Cut(tag.Get("range"), "..")
	low, _ = strconv.ParseInt(before, 10, 64)
	high, _ = strconv.ParseInt(after, 10, 64)
	return low, high
}

// setEnum decodes one of a closed set of words.
func setEnum(field reflect.Value, words []string, node *unstable.Node) error {
	value := string(node.Data)
	if node.Kind == unstable.String && slices.Contains(words, value) {
		field.SetString(value)
		return nil
	}
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	text := "needs " + strings.Join(quoted[:last], ", ") + " or " + quoted[last]
	if near := spelling.Nearest(value, words); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return needsError(text)
}

// setText decodes a value that reads itself.
func setText(field reflect.Value, tag reflect.StructTag, s string) error {
	err := field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	if address, isAddress := field.Interface().(netip.AddrPort); isAddress {
		a := address.Addr()
		wrong := map[string]bool{"4": !a.Is4(), "6": !a.Is6() || a.Is4In6(), "any": false}[tag.Get("address")]
		if err != nil || !a.IsValid() || wrong {
			return needsError("needs " + example(field, tag))
		}
		return nil
	}
	var needs needsError
	if err != nil && !errors.As(err, &needs) {
		return needsError("needs " + example(field, tag))
	}
	return err
}

// example says what a value in text form looks like.
func example(field reflect.Value, tag reflect.StructTag) string {
	switch field.Interface().(type) {
	case FileMode:
		return `octal digits such as "0660"`
	case Memory:
		return `"auto", or a size such as "512 MiB"`
	}
	switch tag.Get("address") {
	case "4":
		return `an IPv4 address and port such as "0.0.0.0:3000"`
	case "6":
		return `an IPv6 address and port such as "[::]:3000"`
	}
	return `an address and port such as "127.0.0.1:9000" or "[::1]:9000"`
}

// setStrings decodes a list of strings.
func setStrings(field reflect.Value, node *unstable.Node) error {
	needs := needsError(`needs a list of strings such as ["tracker.example.org"]`)
	if node.Kind != unstable.Array {
		return needs
	}
	var all []string
	for it := node.Children(); it.Next(); {
		element := it.Node()
		if element.Kind == unstable.Comment {
			continue
		}
		if element.Kind != unstable.String {
			return needs
		}
		all = append(all, string(element.Data))
	}
	field.Set(reflect.ValueOf(all))
	return nil
}

// setPrefixes decodes a list of prefixes and single addresses.
func setPrefixes(field reflect.Value, node *unstable.Node) error {
	needs := needsError(`needs a list of prefixes and addresses such as ["10.0.0.0/8", "192.0.2.1", "fd00::/8"]`)
	if node.Kind != unstable.Array {
		return needs
	}
	var prefixes []netip.Prefix
	var wrong []string // in one problem: it is one key
	for it := node.Children(); it.Next(); {
		element := it.Node()
		if element.Kind == unstable.Comment {
			continue
		}
		if element.Kind != unstable.String {
			return needs
		}
		p, err := parsePrefix(string(element.Data))
		if err != nil {
			wrong = append(wrong, err.Error())
		}
		prefixes = append(prefixes, p)
	}
	if len(wrong) > 0 {
		return needsError(strings.Join(wrong, "; "))
	}
	field.Set(reflect.ValueOf(prefixes))
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, needsError(fmt.Sprintf(`%q is neither an address nor a prefix such as "10.0.0.0/8"`, s))
	}
	if p != p.Masked() {
		return p, needsError(fmt.Sprintf("%q has bits beyond the prefix: needs %q", s, p.Masked()))
	}
	return p, nil
}

// rawValue returns a value as the file has it, on one line.
func rawValue(node *unstable.Node) string {
	switch node.Kind {
	case unstable.String:
		return strconv.Quote(string(node.Data))
	case unstable.Array, unstable.InlineTable:
		return ""
	}
	return string(node.Data)
}
