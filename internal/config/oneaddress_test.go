package config

import (
	"net/netip"
	"strings"
	"testing"
)

// TestReleasedAquaticFile loads the file that aquatic_http 0.9.0, as its registry
// has it, prints: one address in place of the repository's pair.
func TestReleasedAquaticFile(t *testing.T) {
	c, err := Load("testdata/aquatic_http_0.9.0_release.toml")
	if err != nil {
		t.Fatal(err)
	}
	n := &c.Network
	if !n.UseIPv4 || n.UseIPv6 || n.AddressIPv4 != netip.MustParseAddrPort("0.0.0.0:3000") || c.SocketWorkers != 1 || c.Protocol.PeerAnnounceInterval != 120 {
		t.Errorf("it means %+v", c)
	}
}

func TestOneAddress(t *testing.T) {
	for text, want := range map[string]Network{
		`address = "127.0.0.1:80"`:                {UseIPv4: true, AddressIPv4: netip.MustParseAddrPort("127.0.0.1:80"), SetOnlyIPv6: true},
		`address = "[::]:80"`:                     {UseIPv6: true, AddressIPv6: netip.MustParseAddrPort("[::]:80")},
		"address = \"[::]:80\"\nonly_ipv6 = true": {UseIPv6: true, AddressIPv6: netip.MustParseAddrPort("[::]:80"), SetOnlyIPv6: true},
	} {
		c, err := Parse("f", []byte("[network]\n"+text+"\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		n := c.Network
		if n.UseIPv4 != want.UseIPv4 || n.UseIPv6 != want.UseIPv6 || n.SetOnlyIPv6 != want.SetOnlyIPv6 ||
			n.UseIPv4 && n.AddressIPv4 != want.AddressIPv4 || n.UseIPv6 && n.AddressIPv6 != want.AddressIPv6 {
			t.Errorf("%s means %+v", text, n)
		}
		var printed strings.Builder
		if err := c.Write(&printed); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("printed", []byte(printed.String())); err != nil {
			t.Errorf("what is printed for %s does not load: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		`address = "here"`:                                  `f:2: [network] address = "here": needs an address and port`,
		"address = \"0.0.0.0:80\"\nuse_ipv6 = true":         "excludes use_ipv6",
		`address = 3000`:                                    "needs a string",
		"address = \"[::ffff:1.2.3.4]:80\"\nkeep_alive = 1": "needs an address and port",
	} {
		if _, err := Parse("f", []byte("[network]\n"+text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want one that says %q", text, err, want)
		}
	}
}
