#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# unpack.sh DIR PACKAGE … puts the files of Debian packages below DIR without
# installing them, so that no service starts: programs that tests speak with.
# Where that cannot be done, one line says so; those tests then say what is
# missing, and fail where CI is set.
set -eu

dir=$1
shift
[ -e "$dir/.unpacked" ] && [ "$(cat "$dir/.unpacked")" = "$*" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
	echo "not on Debian: tests that need one of $* are skipped unless it is in PATH" >&2
	exit 0
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
echo "unpacking $*" >&2
fetch() { (cd "$work" && apt-get download -qq "$@" >log 2>&1); }
if ! fetch "$@" && ! { apt-get update -qq >/dev/null 2>&1 && fetch "$@"; }; then
	tail -n 5 "$work/log" >&2
	echo "apt-get could not fetch $*: tests that need them are skipped" >&2
	exit 0
fi
for deb in "$work"/*.deb; do
	dpkg -x "$deb" "$dir"
done
echo "$*" >"$dir/.unpacked"
