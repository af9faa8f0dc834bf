package tomlfile

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// assign decodes the value of the key at path into its field and checks it.
func (d *decoder) assign(path string, field reflect.Value, tag reflect.StructTag, node *unstable.Node, line int) {
	raw := rawValue(node)
	if tag.Get("secret") != "" {
		raw = "" // a problem would show it
	}
	d.source.keys[path] = place{line: line, value: raw}
	switch {
	case isSection(field) && node.Kind == unstable.InlineTable:
		d.inline(table{path, field}, node)
	case isTableList(field) && node.Kind == unstable.Array:
		d.elements(path, field, node)
	default:
		if err := setValue(field, tag, node); err != nil {
			d.problems = append(d.problems, d.source.Problem(path, "%v", err))
		}
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
				d.problems = append(d.problems, d.source.Problem(path, "needs tables: [[%s]]", withoutIndexes(path)))
			}
			continue
		}
		field.Set(reflect.Append(field, NewElement(field.Type().Elem())))
		t := last(path, field)
		d.source.keys[t.path] = d.source.keys[path]
		d.inline(t, element)
	}
}

// setValue decodes one value. Its error says what the value needs to be.
func setValue(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	if isText(field.Type()) {
		return setText(field, tag, node)
	}
	switch field.Kind() {
	case reflect.Bool:
		if node.Kind != unstable.Bool {
			return errors.New("needs true or false, without quotes")
		}
		field.SetBool(string(node.Data) == "true")
	case reflect.Int, reflect.Int64:
		return setInt(field, tag, node)
	case reflect.Float64:
		return setFloat(field, node)
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" {
			return setEnum(field, strings.Fields(enum), node)
		}
		if node.Kind != unstable.String {
			return errors.New("needs a string in quotes")
		}
		field.SetString(string(node.Data))
	case reflect.Slice:
		if IsTable(field.Type()) {
			return errors.New("is a list of sections and needs keys of its own")
		}
		return setList(field, tag, node)
	default:
		return errors.New("is a section and needs keys of its own")
	}
	return nil
}

// setInt decodes an integer within the bounds of the tag range.
func setInt(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	low, high, bounded := bounds(tag)
	v, err := integer(node)
	switch {
	case bounded && (err != nil || v < low || v > high):
		return fmt.Errorf("needs a whole number from %d to %d", low, high)
	case err != nil:
		return errors.New("needs a whole number")
	case field.OverflowInt(v):
		return fmt.Errorf("needs a whole number from %d to %d", math.MinInt, math.MaxInt)
	}
	field.SetInt(v)
	return nil
}

// integer returns the value of a TOML integer, which may be hexadecimal, octal or
// binary, and have underscores between its digits.
func integer(node *unstable.Node) (int64, error) {
	if node.Kind != unstable.Integer {
		return 0, errors.New("needs a whole number")
	}
	return strconv.ParseInt(strings.ReplaceAll(string(node.Data), "_", ""), 0, 64)
}

func bounds(tag reflect.StructTag) (low, high int64, bounded bool) {
	before, after, bounded := strings.Cut(tag.Get("range"), "..")
	low, _ = strconv.ParseInt(before, 10, 64)
	high, _ = strconv.ParseInt(after, 10, 64)
	return low, high, bounded
}

// setFloat decodes a number, which may also be written as an integer.
func setFloat(field reflect.Value, node *unstable.Node) error {
	v, err := integer(node)
	f := float64(v)
	if node.Kind == unstable.Float {
		f, err = strconv.ParseFloat(strings.ReplaceAll(string(node.Data), "_", ""), 64)
	}
	if err != nil {
		return errors.New("needs a number")
	}
	field.SetFloat(f)
	return nil
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
	if near := nearest(value, words); near != "" {
		text += fmt.Sprintf("; did you mean %q?", near)
	}
	return errors.New(text)
}

// setText decodes a value that reads itself.
func setText(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	switch target := field.Addr().Interface().(type) {
	case *netip.AddrPort:
		return setAddrPort(target, tag, node)
	case *netip.Prefix:
		return setPrefix(target, node)
	case interface{ UnmarshalInteger(v int64) error }:
		if v, err := integer(node); err == nil {
			return target.UnmarshalInteger(v)
		}
	}
	text := node.Data
	if node.Kind != unstable.String {
		text = nil // which nothing is; the error says what it needs
	}
	return field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text)
}

func setAddrPort(target *netip.AddrPort, tag reflect.StructTag, node *unstable.Node) error {
	address, err := netip.ParseAddrPort(string(node.Data))
	a := address.Addr()
	right := err == nil && node.Kind == unstable.String
	switch tag.Get("address") {
	case "4":
		if !right || !a.Is4() {
			return errors.New(`needs an IPv4 address and port such as "0.0.0.0:3000"`)
		}
	case "6":
		if !right || !a.Is6() || a.Is4In6() {
			return errors.New(`needs an IPv6 address and port such as "[::]:3000"`)
		}
	default:
		if !right {
			return errors.New(`needs an address and port such as "127.0.0.1:9000" or "[::1]:9000"`)
		}
	}
	*target = address
	return nil
}

// setPrefix decodes a prefix, or a single address as the prefix of that alone.
func setPrefix(target *netip.Prefix, node *unstable.Node) (err error) {
	if node.Kind != unstable.String {
		return errors.New(`needs a prefix or an address such as "10.0.0.0/8"`)
	}
	*target, err = parsePrefix(string(node.Data))
	return err
}

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf(`%q is neither an address nor a prefix such as "10.0.0.0/8"`, s)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q has bits beyond the prefix: needs %q", s, p.Masked())
	}
	return p, nil
}

// setList decodes a list of values.
func setList(field reflect.Value, tag reflect.StructTag, node *unstable.Node) error {
	if node.Kind != unstable.Array {
		return listNeeds(field.Type(), tag)
	}
	list := field.Slice3(0, 0, 0)
	var wrong []string // in one problem: it is one key
	for it := node.Children(); it.Next(); {
		if it.Node().Kind == unstable.Comment {
			continue
		}
		element := reflect.New(field.Type().Elem()).Elem()
		if err := setValue(element, "", it.Node()); err != nil {
			if !isText(element.Type()) || it.Node().Kind != unstable.String {
				return listNeeds(field.Type(), tag)
			}
			wrong = append(wrong, err.Error())
		}
		list = reflect.Append(list, element)
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	field.Set(list)
	return nil
}

// listNeeds says what a list looks like.
func listNeeds(t reflect.Type, tag reflect.StructTag) error {
	if t.Elem() == reflect.TypeFor[netip.Prefix]() {
		return errors.New(`needs a list of prefixes and addresses such as ["10.0.0.0/8", "192.0.2.1", "fd00::/8"]`)
	}
	switch t.Elem().Kind() {
	case reflect.String:
		return fmt.Errorf("needs a list of strings such as [%q]", cmp.Or(tag.Get("example"), "..."))
	case reflect.Int:
		return errors.New("needs a list of whole numbers")
	case reflect.Float64:
		return errors.New("needs a list of numbers")
	default:
		return errors.New("needs a list of lists")
	}
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
