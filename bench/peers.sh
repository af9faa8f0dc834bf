#!/bin/sh
# Spate against aquatic_http and its load tester: each program of one project
# measures and checks the other's. Outside CI, since cargo compiles for minutes.
#
#     make e2e-peers          needs cargo, or both programs on the PATH
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
servers=
cleanup() {
	for pid in $servers; do kill "$pid" 2>/dev/null || true; done
	rm -rf "$work"
}
trap cleanup EXIT

if ! command -v aquatic_http >/dev/null || ! command -v aquatic_http_load_test >/dev/null; then
	tools=${SPATE_PEERS_DIR:-$HOME/.cache/spate-peers}
	cargo install --quiet --root "$tools" --version '^0.9' aquatic_http
	cargo install --quiet --root "$tools" --version '^0.9' aquatic_http_load_test
	PATH=$tools/bin:$PATH
fi
PATH=$PWD/bin:$PATH

# serve NAME ADDRESS COMMAND...: starts a server and waits until it listens.
serve() {
	name=$1 port=${2##*:}
	shift 2
	"$@" >"$work/$name.log" 2>&1 &
	servers="$servers $!"
	for _ in $(seq 100); do
		code=0
		curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$port/" || code=$?
		# Whatever it makes of the request: 7 is that nobody listens.
		[ $code = 7 ] || return 0
		sleep 0.1
	done
	echo "$name does not listen:" >&2
	cat "$work/$name.log" >&2
	return 1
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
	-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

cat >"$work/spate.toml" <<EOF
log_level = "warn"
[network]
use_ipv6 = false
address_ipv4 = "127.0.0.1:3801"
tls_certificate_path = "$work/cert.pem"
tls_private_key_path = "$work/key.pem"
[[listeners]]
address = "127.0.0.1:3802"
tls = true
EOF
cat >"$work/aquatic.toml" <<EOF
[network]
address = "127.0.0.1:3803"
EOF
# What the load tester of aquatic_http prints as its default means the same to ours.
aquatic_http_load_test -p >"$work/default.toml"
spate-load -c "$work/default.toml" -P | sed -n '1,/^$/p' >"$work/parsed"
for line in "num_connections = 128" "connection_creation_interval_ms = 10" "enable_tls = true"; do
	grep -q "^$line" "$work/parsed" || { echo "spate-load misreads aquatic's default:" >&2; cat "$work/parsed" >&2; exit 1; }
done
serve spate 127.0.0.1:3801 spate -c "$work/spate.toml"
serve aquatic 127.0.0.1:3803 aquatic_http -c "$work/aquatic.toml"

# aquatics_load NAME PORT TLS KEEP: aquatic_http_load_test against Spate has to get
# replies, and no failure response. It counts in steps of five seconds.
aquatics_load() {
	echo "== aquatic_http_load_test against Spate: $1"
	cat >"$work/load.toml" <<EOF
server_address = "127.0.0.1:$2"
duration = 10
enable_tls = $3
keep_alive = $4
num_connections = 32
connection_creation_interval_ms = 1
[torrents]
weight_scrape = 1
EOF
	timeout 60 aquatic_http_load_test -c "$work/load.toml" >"$work/load.out" 2>&1 || { cat "$work/load.out"; return 1; }
	grep -A2 'load test report' "$work/load.out"
	grep 'Average responses per second' "$work/load.out"
	if grep -q 'failure response' "$work/load.out"; then
		echo "Spate sent a failure response:" >&2
		grep -m3 'failure response' "$work/load.out" >&2
		return 1
	fi
	if grep -q 'Average responses per second: 0.00' "$work/load.out"; then
		echo "no responses" >&2
		return 1
	fi
}
aquatics_load "plain, kept" 3801 false true
aquatics_load "plain, closed" 3801 false false
aquatics_load "TLS, kept" 3802 true true
aquatics_load "TLS, closed" 3802 true false

echo "== spate-load against aquatic_http"
spate-load --server 127.0.0.1:3803 --duration 5 --json >"$work/report.json" || true
sed -n 's/^  "\(requests\|responses_per_second\|failure_responses\)"/  &/p' "$work/report.json"
grep -q '"announce": [1-9]' "$work/report.json"

echo "== spate-bench with both"
spate-bench --rounds 2 --seconds 2 --trackers spate,aquatic_http --workloads close,keepalive-64 bench/plan.toml
echo "passed"
