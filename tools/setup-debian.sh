#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what localvar's demo and tests need, on Debian 12; does nothing, quickly, where all is there.
#
#   tools/setup-debian.sh [check|demo|test|bench]     default: test, which includes demo; bench includes test
#
# Exit status: 0 all installed; 2 usage; 3 not Debian, or no right to install; 4 installing failed (no network?).
set -eu

groups() {
	case $1 in
	check) echo check ;;
	demo) echo demo ;;
	test) echo demo test ;;
	bench) echo demo test bench ;;
	*) return 1 ;;
	esac
}

say() { echo "setup-debian: $*" >&2; }

wanted=${1:-test}
if [ $# -gt 1 ] || ! groups=$(groups "$wanted"); then
	say "usage: $0 [check|demo|test|bench]"
	exit 2
fi

# The packages of $1, those that are not installed only.
missing_of() {
	# dpkg-query fails for packages it never heard of, but prints the rest.
	installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $1 2>/dev/null || true)
	for package in $1; do
		case "
$installed
" in
		*"
$package installed
"*) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# The lines of packages.txt, of the groups wanted, with a package that is not installed.
lines_to_install() {
	while read -r group packages; do
		case " $groups " in
		*" $group "*) ;;
		*) continue ;;
		esac
		[ -z "$(missing_of "$packages")" ] || echo "$packages"
	done < "${0%/*}/packages.txt"
}

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
	say "this is not Debian: install the equivalents of the packages in ${0%/*}/packages.txt ($groups)"
	exit 3
fi

lines=$(lines_to_install)
if [ -z "$lines" ]; then
	say "everything for '$wanted' is installed"
	exit 0
fi

root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo > /dev/null; then
		say "neither root nor sudo; to be installed by root: $(missing_of "$(echo $lines)")"
		exit 3
	fi
	root=sudo
fi

apt() {
	say "apt-get $*"
	$root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 "$@" >&2
}

install_line() { apt install -y --no-install-recommends $1; }

apt update || say "no fresh package lists, trying with those that are there"
echo "$lines" | while read -r line; do
	# All of a line in one command: apt then takes image, debug file and headers of one version.
	install_line "$line" < /dev/null || {
		say "once more"
		apt update < /dev/null || true
		install_line "$line" < /dev/null
	} || exit 4
done || {
	say "could not install: $(missing_of "$(echo $lines)")"
	exit 4
}
say "everything for '$wanted' is installed"
