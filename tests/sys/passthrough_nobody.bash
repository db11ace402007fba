#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# usage, by passthrough.sh in a mount namespace of its own: passthrough_nobody.bash DIRECTORY: it holds fsmount, which mounts and is used
# by a user without any right.
set -Eeuo pipefail
cd "$1"

as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

# The real one may be root's alone.
mknod -m 666 fuse c 10 229
mount --bind fuse /dev/fuse
as_nobody mkdir mnt
as_nobody ./fsmount -S mnt upper state >log 2>&1 </dev/null 3>&- &
mount_pid=$!
trap 'kill "$mount_pid"; wait "$mount_pid" || true' EXIT
for _ in $(seq 600); do
	! grep -q msg=mounted log || break
	sleep 0.1
done
as_nobody bash -euc 'echo one >mnt/f; echo two >>mnt/f'
[[ $(as_nobody cat mnt/f) == $'one\ntwo' ]]
as_nobody mkdir mnt/d
