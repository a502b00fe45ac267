#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# boot.sh KERNEL COMMAND FILE… boots a virtual machine with the kernel of a
# Debian package and runs COMMAND there, by sh, in a directory that holds the
# FILEs; ends with its exit status. KERNEL is a linux-image package: a .deb
# file, or a name that apt-get can download. The files must need no library.
# The machine has no disk and no network, and ends after BOOT_SECONDS (900).
# Its processor is emulated, which is slow: BOOT_ACCEL=kvm where that works.
# BOOT_QEMU is another qemu-system-x86_64, BOOT_CPU and BOOT_CPUS its processor.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
seconds=${BOOT_SECONDS:-900}
[ $# -ge 2 ] || { echo "usage: boot.sh KERNEL COMMAND FILE…" >&2; exit 2; }
kernel=$1
command=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
busybox=$(command -v busybox)
mkdir -p "$root/bin" "$root/work" "$work/kernel"

# A name stands for the package; a meta package for the one it depends on.
case $kernel in
*.deb) [ -f "$kernel" ] || { echo "boot.sh: $kernel does not exist: give a linux-image package" >&2; exit 2; } ;;
*)
	real=$(apt-cache depends --important "$kernel" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	(cd "$work" && apt-get download -qq "${real:-$kernel}" 2>"$work/log") ||
		{ cat "$work/log" >&2; echo "boot.sh: apt-get cannot download $kernel" >&2; exit 2; }
	kernel=$(ls "$work"/*.deb)
	;;
esac
dpkg-deb -x "$kernel" "$work/kernel"
image=$(ls "$work"/kernel/boot/vmlinuz-* 2>/dev/null) ||
	{ echo "boot.sh: $kernel holds no kernel image: give a signed linux-image package, not -dbg or -unsigned" >&2; exit 2; }
release=${image##*/vmlinuz-}
modules=$(find "$work/kernel" -type d -path "*/lib/modules/$release")

# Of the modules, those that have to do with packets, unpacked.
target=$root/lib/modules/$release
mkdir -p "$target"
(cd "$modules" && find kernel/net kernel/lib kernel/crypto kernel/arch/x86/crypto \
	kernel/drivers/net/veth.ko* kernel/drivers/net/dummy.ko* -name '*.ko*' 2>/dev/null | cpio -pdm --quiet "$target")
find "$target" -name '*.ko.xz' -exec xz -d {} +
cp "$modules"/modules.builtin "$modules"/modules.order "$target"
"$busybox" depmod -b "$root" "$release"

cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
mkdir -p "$root/sbin" && ln -s ../bin/busybox "$root/sbin/modprobe"
cp "$here/init" "$root/init"
for file in "$@"; do cp "$file" "$root/work/"; done
printf '%s\n' "$command" >"$root/work/command"
chmod 755 "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs"

echo "boot.sh: Linux $release" >&2
timeout "$seconds" "${BOOT_QEMU:-qemu-system-x86_64}" -accel "${BOOT_ACCEL:-tcg,thread=multi}" -cpu "${BOOT_CPU:-max}" -smp "${BOOT_CPUS:-1}" -m 2048 \
	-nic none -display none -monitor none -serial stdio -no-reboot -nodefaults \
	-kernel "$image" -initrd "$work/initramfs" -append "console=ttyS0 panic=-1 oops=panic quiet" \
	</dev/null 2>"$work/qemu" | sed -u 's|\r||' | tee "$work/console"
status=$(sed -n 's/^command ended with status \([0-9]*\)$/\1/p' "$work/console" | tail -n 1)
[ -n "$status" ] || { cat "$work/qemu" >&2; echo "boot.sh: Linux $release did not come to the end within $seconds s" >&2; exit 1; }
exit "$status"
