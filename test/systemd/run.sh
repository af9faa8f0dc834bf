#!/bin/bash
# Tries the systemd units under a systemd that is process 1: boots Debian with its
# own kernel in an emulated machine, installs Spate there by the commands of
# deploy/README.md, and lets inside.sh look at it. Needs root, mmdebstrap,
# qemu-system-x86 and e2fsprogs, and Debian's packages. It takes some minutes, and
# BOOT_TIMEOUT seconds for each of the two boots at most. Emulated, not virtualized,
# so that it runs in a machine that is one itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${SPATE_BIN:=bin}" "${BOOT_TIMEOUT:=1200}"
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

mmdebstrap --quiet --variant=minbase \
	--include=systemd,systemd-sysv,udev,linux-image-cloud-amd64,curl,openssl,procps \
	bookworm "$work/root"
install -m 0755 test/systemd/inside.sh "$work/root/usr/local/bin/inside"
mkdir -p "$work/root/srv/spate/bin"
cp "$SPATE_BIN/spate" "$work/root/srv/spate/bin/"
cp -r deploy "$work/root/srv/spate/"
cat > "$work/root/etc/systemd/system/inside.service" <<-EOF
	[Unit]
	After=multi-user.target
	[Service]
	ExecStart=/bin/sh -c 'inside > /dev/ttyS0 2>&1; systemctl poweroff --force --force'
EOF
mkdir -p "$work/root/etc/systemd/system/default.target.wants"
ln -s ../inside.service "$work/root/etc/systemd/system/default.target.wants/"
ln -s /dev/null "$work/root/etc/systemd/system/serial-getty@ttyS0.service"
truncate -s 2G "$work/disk"
mke2fs -q -t ext4 -d "$work/root" "$work/disk"

# boot WORDS…: boots with these on the kernel's command line; all of it has to hold.
boot() {
	echo "== boot $*"
	timeout "$BOOT_TIMEOUT" qemu-system-x86_64 -accel tcg -cpu max -m 1024 -smp 2 \
		-nographic -no-reboot -nic none -snapshot -drive "file=$work/disk,format=raw,if=virtio" \
		-kernel "$work"/root/boot/vmlinuz-* -initrd "$work"/root/boot/initrd.img-* \
		-append "root=/dev/vda rw console=ttyS0 quiet systemd.show_status=0 $*" < /dev/null |
		sed -u 's/\r$//' | tee "$work/console" | { grep -aE --line-buffered '^(ok: |FAIL: |\| )' || true; }
	if ! grep -qax 'all of it holds' "$work/console"; then
		echo "not all of it holds; the console ends with:"
		tail -n 20 "$work/console"
		return 1
	fi
}

boot
boot ipv6.disable=1
echo 'all of it holds'
