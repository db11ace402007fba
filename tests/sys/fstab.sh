#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A line of fstab mounts: `mount /mnt/thanos` calls the helper, which returns when the mount is ready, and umount ends it.
. "$(dirname "$0")/lib.sh"
need_fuse
need unshare mount umount
((EUID == 0)) || skip "only root mounts by fstab"

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours 2 --end 1699999200000 --instances 1
mkdir "$WORK/mnt" "$WORK/up" "$WORK/tmp"
# mount(8) looks for helpers in /sbin only: this test has a /sbin of its own, in a mount namespace of its own.
cat >"$WORK/inside.sh" <<'END'
set -euo pipefail
sbin=$(readlink -f /sbin)
mount -t tmpfs none "$WORK/tmp"
mkdir "$WORK/tmp/up" "$WORK/tmp/work"
mount -t overlay overlay -o "lowerdir=$sbin,upperdir=$WORK/tmp/up,workdir=$WORK/tmp/work" "$sbin"
ln -s "$THANOSFS" "$sbin/mount.fuse.thanosfs"
ln -s "$THANOSFS" "$sbin/mount.thanosfs"

daemons() { grep -lz -- "$WORK/mnt" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | while read -r p; do
	[[ $(readlink "/proc/$p/exe") != "$THANOSFS" ]] || echo "$p"; done; }

for type in fuse.thanosfs thanosfs; do
	echo "$WORK/gen/bucket.yaml $WORK/mnt $type noauto,_netdev,allow_other,nosuid,noexec,x-systemd.automount,query.replica-label=replica,data-dir=$WORK/data 0 0" \
		>"$WORK/fstab"
	mount -T "$WORK/fstab" "$WORK/mnt"
	mountpoint -q "$WORK/mnt" || { echo "mount returned, and nothing is mounted"; exit 1; }
	ls "$WORK/mnt" >"$WORK/listing.$type"
	grep " $WORK/mnt " /proc/self/mounts
	[[ -n $(daemons) ]] || { echo "no daemon serves the mount"; exit 1; }
	umount "$WORK/mnt"
	for ((i = 0; i < 300; i++)); do
		[[ -n $(daemons) ]] || break
		sleep 0.1
	done
	[[ -z $(daemons) ]] || { echo "the daemon lives on after umount"; exit 1; }
done

echo "== refused"
echo "$WORK/gen/bucket.yaml $WORK/mnt fuse.thanosfs noauto,colour=red,data-dir=$WORK/data 0 0" >"$WORK/fstab"
! mount -T "$WORK/fstab" "$WORK/mnt" 2>"$WORK/refused.txt" || { echo "an unknown option was taken"; exit 1; }
mount -s -T "$WORK/fstab" "$WORK/mnt" # told to be sloppy
umount "$WORK/mnt"
echo "$WORK/absent.yaml $WORK/mnt fuse.thanosfs noauto,data-dir=$WORK/data 0 0" >"$WORK/fstab"
! mount -T "$WORK/fstab" "$WORK/mnt" 2>>"$WORK/refused.txt" || { echo "an absent configuration was taken"; exit 1; }
END
logs+=("$WORK/inside.log")
export WORK
unshare -m --propagation private bash "$WORK/inside.sh" >"$WORK/inside.log" 2>&1 </dev/null || fail "fstab"
for type in fuse.thanosfs thanosfs; do
	check_equal "$(grep -cE '^[0-9A-Z]{26}$' "$WORK/listing.$type")" 1 "the number of blocks with the type $type"
done
check_has "$(cat "$WORK/inside.log")" allow_other "the mount's options"
check_has "$(cat "$WORK/refused.txt")" 'colour=red' "what is said of an unknown option"
check_has "$(cat "$WORK/refused.txt")" 'absent.yaml' "what is said of a configuration that isn't there"
