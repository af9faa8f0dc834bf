#!/bin/sh
# Installs the trackers that bench/plan.toml compares Spate with, as far as package
# registries have them, and says what is left to do by hand.
#
#     sh bench/install.sh [DIR]      programs go to DIR/bin (default ~/.local)
set -eu
dir=${1:-$HOME/.local}

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
	# Servers must not start by themselves while they are installed.
	policy=/usr/sbin/policy-rc.d
	[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq opentracker hitch haproxy nginx-light wrk
	[ "${made:-}" = 1 ] && rm "$policy"
else
	echo "not root, or no apt-get: install opentracker, hitch, haproxy, nginx and wrk by hand" >&2
fi

if command -v cargo >/dev/null; then
	cargo install --root "$dir" --version '^0.9' aquatic_http
	cargo install --root "$dir" --version '^0.9' aquatic_http_load_test
else
	echo "no cargo: aquatic_http and aquatic_http_load_test are left out" >&2
fi

cat <<EOF
Installed. Put $dir/bin on the PATH.

Debian's opentracker is built for whitelists, for IPv4 only and without keep-alive: it
is the plan's opentracker-debian. For the plan's opentracker build its source, with
libowfat-dev and zlib1g-dev installed, by
    make LIBOWFAT_HEADERS=/usr/include LIBOWFAT_LIBRARY=/usr/lib \\
      FEATURES="-DWANT_FULLSCRAPE -DWANT_NO_AUTO_FREE -DWANT_KEEPALIVE" opentracker
and for chihaya its source by go build ./cmd/chihaya. Say where they are with
    spate-bench --program opentracker=FILE --program chihaya=FILE ...
EOF
