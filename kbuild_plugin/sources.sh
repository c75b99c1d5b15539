#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Usage: sources.sh SRC OBJ
#
# Prints the C files below SRC that include localvar.h, or a header below SRC
# that does, without ".c"; then "stale:FILE" for each that was expanded below OBJ
# from something that came to its place only later with an older date, as a
# package's files do: make compares dates only.

src=$1
obj=$2

# Files that include one of the headers named in $1 (basic regular expressions, \| between).
including()
{
	grep -rl --include='*.[ch]' --exclude='*.localvar.c' --exclude='*.mod.c' \
		"^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*[<\"]\([^>\"]*/\)\?\($1\)[>\"]" "$src"
}

headers='localvar\.h'
while :; do
	files=$(including "$headers")
	more=$(printf '%s\n' localvar.h $files | sed -n 's/\./\\./g; s,.*/,,; /\.h$/p' |
	       sort -u | sed ':a; N; $!ba; s/\n/\\|/g')
	[ "$more" = "$headers" ] && break
	headers=$more
done

for file in $files; do
	stem=${file#"$src"/}
	case $stem in
	*.c) stem=${stem%.c} ;;
	*) continue ;;
	esac
	echo "$stem"

	out=$obj/$stem.localvar.c
	deps=$(dirname "$out")/.$(basename "$stem").localvar.d
	[ -e "$out" ] && [ -e "$deps" ] || continue
	newer=$(sed 's/^[^ ]*://; s/\\$//' "$deps" |
		xargs -r sh -c 'find "$@" -prune -cnewer "$0" -print 2>&1' "$out")
	[ -z "$newer" ] || echo "stale:$stem"
done
