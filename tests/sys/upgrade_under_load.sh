#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An older version's mount becomes this version's, and back, again and again under load: no error, no wrong byte, and the mount says
# which version it is. And it still does where workers are killed at the same time.
. "$(dirname "$0")/lib.sh"
need_fuse
need python3 jq
. "$ROOT/tests/sys/fs_mount.bash"

version=$("$THANOSFS" --version | sed -n '1s/^thanosfs //p')
older=$(sed 's/[0-9]/0/g; s/.$/9/' <<<"$version")
cp "$THANOSFS" "$WORK/new"
LC_ALL=C sed "s/${version//./\\.}/$older/g" "$THANOSFS" >"$WORK/old"
chmod +x "$WORK/old"
check_equal "$("$WORK/old" --version | head -n 1)" "thanosfs $older" "the older version"

"$GENBUCKET" "$WORK/gen" --clusters eu,us --replicas a,b --hours 2 --end 1699999200000 --instances 4
for block in "$WORK"/gen/bucket/*/; do
	[[ $(labels_of "$block") != cluster=us,replica=b ]] || rm -r "$block"
done
THANOSFS=$WORK/old mount_start mount "$MNT" --objstore.config-file="$WORK/gen/bucket.yaml" --query.replica-label=replica \
	--data-dir="$WORK/data"
wait_ready "$MNT"
supervisor=$MOUNT_PID
files=()
while read -r path; do
	cp "$MNT/$path" "$WORK/truth${#files[@]}"
	files+=("$path=$WORK/truth${#files[@]}")
done < <(cd "$MNT" && find . -path './0*/chunks/*' -o -path './0*/index' | sort | sed 's,^./,,')

version_now() { jq -r .version "$MNT/.thanosfs/status.json"; }
check_equal "$(version_now)" "$older" "the version of the mount at first"

under_load() { # KILL_EVERY_MS, 0: not at all
	local seconds=$((${SECONDS_OF_LOAD:-8} * PATIENCE)) load program want was=$older upgrades=0 refused=0 status said
	"$ROOT/tests/sys/worker_kills.py" "$MNT" "$supervisor" "$seconds" "$1" "${files[@]}" >"$WORK/load.log" 2>&1 </dev/null 3>&- &
	load=$!
	pids+=("$load")
	logs+=("$WORK/load.log")
	while is_running "$load"; do
		[[ $was == "$older" ]] && program=new want=$version || program=old want=$older
		status=0
		said=$(timeout $((60 * PATIENCE)) "$WORK/$program" mount --upgrade "$MNT" 2>&1 3>&-) || status=$?
		if ((status != 0)); then
			(($1)) || fail "an upgrade ended with $status: $said"
			refused=$((refused + 1)) # there was no worker just then, or the new one was killed
			was=$(version_now)
			continue
		fi
		check_has "$said" "version $want serves, after " "what an upgrade says"
		check_equal "$(version_now)" "$want" "the version of the mount"
		was=$want
		upgrades=$((upgrades + 1))
		sleep 0.2
	done
	wait "$load" || fail "the load noticed: $(grep ^error "$WORK/load.log" | head -n 3)"
	say "$upgrades upgrades, $refused refused; $(tail -n 1 "$WORK/load.log")"
	((upgrades >= 2)) || fail "there were $upgrades upgrades only"
	if [[ $was == "$older" ]]; then
		"$WORK/new" mount --upgrade "$MNT" >/dev/null 3>&-
	fi
	check_equal "$(version_now)" "$version" "the version of the mount at the end"
	check_equal "$(readlink "/proc/$supervisor/exe")" "$WORK/new" "the supervisor's program"
	"$WORK/old" mount --upgrade "$MNT" >/dev/null 3>&-
}

under_load 0
say "with kills"
under_load 700
unmount "$supervisor" "$MNT"
! grep -v 'msg="upgrade refused"' "$WORK/mount.log" | grep level=error || fail "errors are logged"
