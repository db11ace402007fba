#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make deb` makes a package that holds a program that runs, mount helpers, a unit that systemd takes, man pages, and a completion.
. "$(dirname "$0")/lib.sh"
need dpkg-deb dpkg-shlibdeps make

mkdir "$WORK/unpacked"
deb=$ROOT/$(make -s -C "$ROOT" deb VARIANT=release 2>"$WORK/deb.log" | tail -n 1) || fail "make deb: $(cat "$WORK/deb.log")"
[[ -f $deb ]] || fail "there is no package: $(cat "$WORK/deb.log")"
dpkg-deb -x "$deb" "$WORK/unpacked"
dpkg-deb -I "$deb" >"$WORK/control"
check_has "$(cat "$WORK/control")" libfuse3-3 "what the package depends on"
check_has "$("$WORK/unpacked/usr/bin/thanosfs" --version)" thanosfs "the version"
for name in mount.thanosfs mount.fuse.thanosfs; do
	check_equal "$(readlink "$WORK/unpacked/sbin/$name")" /usr/bin/thanosfs "/sbin/$name"
done

for page in "$ROOT"/man/*.[1-8]; do
	packed=$WORK/unpacked/usr/share/man/man${page##*.}/${page##*/}.gz
	[[ $(zcat "$packed") == "$(cat "$page")" ]] || fail "$packed is not ${page##*/}"
done

# shellcheck disable=SC2016
words=$(bash -c '. "$0"; COMP_WORDS=(thanosfs mount --read); COMP_CWORD=2; _thanosfs thanosfs --read mount; echo "${COMPREPLY[*]}"' \
	"$WORK/unpacked/usr/share/bash-completion/completions/thanosfs" 2>/dev/null)
check_has "$words" --read.deadline= "what is completed"

unit=$WORK/unpacked/lib/systemd/system/thanosfs@.service
! grep -q '@[A-Z]*@' "$unit" || fail "the unit has places left to fill in"
if command -v systemd-analyze >/dev/null; then
	# The program is not where the unit says, as nothing is installed; the pages neither.
	said=$(systemd-analyze verify "$unit" 2>&1 | grep -v -e 'is not executable' -e "Command 'man" || true)
	check_equal "$said" "" "what systemd says of the unit"
	systemd-analyze security --offline=true "$unit" >"$WORK/security" 2>&1 || true
	exposure=$(sed -n 's/.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p' "$WORK/security")
	awk -v e="$exposure" 'BEGIN { exit !(e > 0 && e <= 5.5) }' || fail "the unit's exposure is '$exposure'"
else
	say "systemd-analyze is not here: the unit is not verified"
fi
