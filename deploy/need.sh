#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# need.sh TOOL:PACKAGE … makes sure that each TOOL is there. On Debian, as
# root, missing ones are installed by package name; elsewhere one line says
# what is missing. A TOOL with a slash is a file that must exist.
set -eu

missing=
for pair in "$@"; do
	tool=${pair%%:*}
	package=${pair#*:}
	case $tool in
	*/*) [ -e "$tool" ] && continue ;;
	*) PATH="$PATH:/usr/sbin:/sbin" command -v "$tool" >/dev/null 2>&1 && continue ;;
	esac
	missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "missing:$missing — install these Debian packages (as root: apt-get install$missing) and try again" >&2
	exit 2
fi
echo "installing$missing" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of package names
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 5 "$log" >&2
	echo "apt-get could not install$missing: see the lines above" >&2
	exit 2
fi
