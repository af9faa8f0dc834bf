#!/bin/bash
# What run.sh lets the booted machine find out, as root, with the repository's bin
# and deploy in /srv/spate. Each line begins with ok or FAIL; the last one says
# whether all of it holds.
set -u
echo # what boots before may leave half a line
cd /srv/spate
failed=0
hash='%01%02%03%04%05%06%07%08%09%0a%0b%0c%0d%0e%0f%10%11%12%13%14'
announce="/announce?info_hash=$hash&peer_id=-XX0001-abcdefghijkl&port=6881&left=0"

# holds WHAT COMMAND…: the command succeeds.
holds() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1 | tr -d '\0'; exit "${PIPESTATUS[0]}"); then
		echo "ok: $what"
	else
		failed=1
		echo "FAIL: $what"
		printf '%s\n' "$out" | sed 's/^/| /'
	fi
}

# soon WHAT COMMAND…: it does so within two minutes.
soon() {
	local what=$1 end=$((SECONDS + 120))
	shift
	until "$@" > /dev/null 2>&1 || [ $SECONDS -ge $end ]; do sleep 0.2; done
	holds "$what" "$@"
}

fails() { ! "$@"; }
answers() { curl -gskS --max-time 60 "$1$announce" | grep -aq '^d8:complete'; }
refuses() { curl -gskS --max-time 60 "$1$announce" | grep -aq 'unregistered torrent'; }
says() { journalctl -u spate -o cat --no-pager | grep -q "$1"; }
shows() { [ "$(systemctl show -p "$1" --value spate)" = "$2" ]; }
pid() { systemctl show -p MainPID --value spate; }
status() { grep -qE "$1" "/proc/$(pid)/status"; }
within() { nsenter -t "$(pid)" -m "$@"; }
threads() { # all have the same rights, and there are several
	[ "$(grep -hE '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp):' "/proc/$(pid)"/task/*/status | sort | uniq -c |
		awk '{ print $1 }' | sort -u | wc -l)" = 1 ]
}

finish() {
	if [ $failed = 0 ]; then echo 'all of it holds'; else echo 'not all of it holds'; fi
	exit $failed
}

# A kernel without IPv6: without any configuration it works at once.
if grep -q ipv6.disable=1 /proc/cmdline; then
	bin/spate 2> /tmp/log &
	soon 'no IPv6: answers by IPv4' answers http://127.0.0.1:3000
	holds 'no IPv6: says so' grep -q 'this machine has no IPv6: listening on IPv4 only' /tmp/log
	holds 'no IPv6: names no address of it' fails grep -q '::' /tmp/log
	holds 'no IPv6: health' bin/spate health
	kill %1
	wait %1
	holds 'no IPv6: ends well' [ $? = 0 ]
	printf '[network]\naddress_ipv6 = "[::]:3000"\n' > /tmp/six.toml
	holds 'no IPv6: an error where it is asked for' fails timeout 20 bin/spate check -c /tmp/six.toml
	finish
fi

# The commands of the page, as they stand there.
awk '/^## systemd/ { on = 1 } on && /^```sh$/ { copy = 1; next } copy && /^```$/ { exit } copy' deploy/README.md > /tmp/commands
holds 'the page has commands' grep -q 'systemctl enable --now' /tmp/commands
holds 'they work' bash -e /tmp/commands

holds 'answers on port 80, IPv4' answers http://127.0.0.1
holds 'answers on port 80, IPv6' answers 'http://[::1]'
holds 'Type=notify: tells its state' shows StatusText serving
holds 'a user of its own' status '^Uid:	([1-9][0-9]{4})	\1	\1	\1$'
holds 'no capabilities' status '^CapEff:	0+$'
holds 'an empty bounding set' status '^CapBnd:	0+$'
holds 'no new privileges' status '^NoNewPrivs:	1$'
holds 'a seccomp filter' status '^Seccomp:	2$'
holds 'so all threads' threads
holds 'LimitNOFILE=' grep -qE '^Max open files +1048576 +1048576' "/proc/$(pid)/limits"
holds 'OOMScoreAdjust=' grep -qx -- -500 "/proc/$(pid)/oom_score_adj"
holds '/etc is read-only, for root as well' fails within touch /etc/spate/x
holds '/home is empty' within sh -c '[ -z "$(ls -A /home)" ]'
holds 'no devices' fails within test -e /dev/vda
holds 'check, while it runs' spate check -c /etc/spate/spate.toml

printf '\n[access_list]\nmode = "deny"\npath = "/etc/spate/list"\n' >> /etc/spate/spate.toml
touch /etc/spate/list
holds 'restart' systemctl restart spate
holds 'answers before the reload' answers http://127.0.0.1
echo 0102030405060708090a0b0c0d0e0f1011121314 > /etc/spate/list
holds 'reload' systemctl reload spate
soon 'the list holds' refuses http://127.0.0.1
echo nonsense > /etc/spate/list
holds 'reload of a bad list' systemctl reload spate
soon 'says so' says 'the access list was not reloaded, the old one stays'
holds 'the old one stays' refuses 'http://[::1]'
: > /etc/spate/list
systemctl reload spate
soon 'the list is empty' answers http://127.0.0.1

holds 'stop' systemctl stop spate
holds 'ended well' shows Result success
holds 'a snapshot' test -s /var/lib/spate/swarms
holds 'the next connection starts it' answers 'http://[::1]'
holds 'from the snapshot' says 'the snapshot is loaded.* torrents=1 peers=[12] '

kill -9 "$(pid)"
holds 'killed: who connects meanwhile is answered' answers http://127.0.0.1
soon 'killed: started again' shows NRestarts 1
kill -STOP "$(pid)"
soon 'hung: the watchdog starts it again' shows NRestarts 2
soon 'hung: answers again' answers http://127.0.0.1

( for _ in $(seq 60); do answers http://127.0.0.1 || exit 1; done ) &
systemctl restart spate
systemctl restart spate
wait $!
holds 'restarts lose no connection' [ $? = 0 ]

# TLS: the key is root's.
mkdir -p /etc/letsencrypt/live/NAME /etc/systemd/system/spate.service.d
chmod 0700 /etc/letsencrypt/live
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=localhost \
	-keyout /etc/letsencrypt/live/NAME/privkey.pem -out /etc/spate/cert.pem 2> /dev/null
chmod 0600 /etc/letsencrypt/live/NAME/privkey.pem
chmod 0644 /etc/spate/cert.pem
block() { awk -v fence="\`\`\`$1" '$0 == "### TLS under systemd" { on = 1 } on && $0 == fence { copy = 1; next } copy && /^```$/ { exit } copy' deploy/README.md; }
block ini > /etc/systemd/system/spate.service.d/override.conf
block toml > /etc/spate/spate.toml
block sh > /tmp/commands
holds 'TLS: the page has commands' grep -q 'spate-https.socket' /tmp/commands
holds 'TLS: they work' bash -e /tmp/commands
holds 'TLS: answers, IPv4' answers https://127.0.0.1
holds 'TLS: answers, IPv6' answers 'https://[::1]'
holds 'TLS: without as well' answers http://127.0.0.1

# Another port, as the page says.
mkdir -p /etc/systemd/system/spate.socket.d
printf '[Socket]\nListenStream=\nListenStream=127.0.0.1:8080\n' > /etc/systemd/system/spate.socket.d/override.conf
systemctl daemon-reload
systemctl stop spate.socket spate
systemctl start spate.socket spate
holds 'another port: answers' answers http://127.0.0.1:8080
holds 'another port: TLS as before' answers https://127.0.0.1

holds 'stops for good' systemctl stop spate.socket spate-https.socket spate
holds 'nobody listens' fails answers http://127.0.0.1
finish
