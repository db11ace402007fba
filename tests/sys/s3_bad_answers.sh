#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whatever a store answers, a mount goes on: what it shows is right or zeros, new blocks wait, the log names bucket, object and cause
# once and not with every sync; and when the store is itself again all is right.
# limit: 400
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/sys/s3.bash"
need_fuse
need curl jq python3

# A line a case: what the log must say ('-': nothing need be wrong for anybody), and
# the rules, of which '|' separates two.
cases=$(
	cat <<-'CASES'
		it has a document type                     do=html
		what answered is not S3                    do=html key=/meta.json
		what answered is not S3                    do=html key=/index
		what answered is not S3                    do=html key=/chunks/0
		longer than the                            do=endless
		with 10 bytes remaining to read            do=length by=10
		not a listing of S3's: unclosed token      do=length by=-10
		asked for                                  do=range by=7 key=/0
		the answer has more                        do=whole
		remaining to read                          do=truncate bytes=100
		not a listing of S3's                      do=delay key=/|do=corrupt bytes=3
		/index:                                    do=corrupt bytes=3 key=/index
		meta.json                                  do=corrupt bytes=9 key=/meta.json
		-                                          do=corrupt bytes=9 key=/chunks/0 times=1
		-                                          do=etag key=/chunks/0
		timed out                                  do=stall
		the answer stalled                         do=stall bytes=100 key=/chunks/0
		Connection reset by peer                   do=reset
		the bucket is in region eu-1               do=redirect code=301 region=eu-1 location=http://elsewhere/
		the bucket is at endpoint http://else      do=redirect code=307 location=http://elsewhere/
		clock is                                   do=status code=403 error=RequestTimeTooSkewed
		ExpiredToken                               do=expired
		bucket thanos does not exist               do=status code=404 error=NoSuchBucket
		AccessDenied                               do=denied
		AccessDenied                               do=denied key=/meta.json
		AccessDenied                               do=denied key=/index
		AccessDenied                               do=denied key=/chunks/0
		SlowDown                                   do=status code=503 retry-after=1
		TooManyRequests                            do=status code=429 retry-after=2
	CASES
)
[[ -z ${CASES:-} ]] || cases=$(grep -e "$CASES" <<<"$cases")
n=$(wc -l <<<"$cases")

"$GENBUCKET" "$WORK/gen" --clusters eu --replicas a,b --hours $((8 * n + 8)) --block-hours 2 --instances 1 --step 1m \
	--end 1699992000000 --seed 7 >/dev/null

# What a mount of the whole bucket shows. A case has a window of its own, three away from the next: those beside a window that is read
# are read ahead.
mount_bucket want "$WORK/gen/bucket" "$WORK/mnt" --query.replica-label=replica
mkdir "$WORK/want"
for block in $(blocks_of "$WORK/mnt"); do
	cp -r "$WORK/mnt/$block" "$WORK/want/"
done
check_equal "$(sed -n 's/^thanosfs_slots_overflowed_total //p' "$WORK/mnt/.thanosfs/metrics")" 0 "the number of slots that were too small"
unmount "$MOUNT_PID" "$WORK/mnt"
mapfile -t all < <(cd "$WORK/want" && jq -r '"\(.minTime) \(.ulid)"' -- */meta.json | sort -rn | cut -d' ' -f2)
check_equal "${#all[@]}" $((4 * n + 4)) "the number of windows"
windows=() between=()
for ((i = 0; i < ${#all[@]}; i++)); do
	((i % 4)) && between+=("${all[i]}") || windows+=("${all[i]}")
done

start_s3serve own
add_window() { # WINDOW
	local from
	from=$(jq .minTime "$WORK/want/$1/meta.json")
	for block in $(cd "$WORK/gen/bucket" && jq -r "select(.minTime >= $from and .minTime < $from + 7200000) | .ulid" -- */meta.json); do
		upload "$WORK/gen/bucket/$block" "$S3_DIR"
	done
}

# Right, or zeros where bytes could not be had: never anything else.
check_bytes() { # GOT WANT
	python3 - "$1" "$2" <<-'PY' || fail "wrong bytes were read"
		import sys
		got, want = (open(p, "rb").read() for p in sys.argv[1:])
		assert len(got) == len(want), f"{len(got)} bytes, not {len(want)}"
		bad = [i for i, (g, w) in enumerate(zip(got, want)) if g != w and g]
		assert not bad, f"at {bad[:10]}"
	PY
}
is_right() { # NUMBER: the window is listed, and its files [FILES] are what they should be
	local file
	for file in "${@:2}"; do
		cmp "$WORK/mnt/${windows[$1]}/$file" "$WORK/want/${windows[$1]}/$file" || return
	done
}
has_struck() { (($(s3_struck) > 0)); }
news() { tail -n "+$((seen + 1))" "$log"; }

for window in "${windows[0]}" "${between[@]}"; do
	add_window "$window"
done
write_s3_config "$WORK/bucket.yaml" "http_config: {response_header_timeout: 1s}"
mount_start own "$WORK/mnt" --objstore.config-file="$WORK/bucket.yaml" --query.replica-label=replica --data-dir="$WORK/data" \
	--sync-block-duration=1s --read.deadline=1s --log.level=info
wait_ready "$WORK/mnt"
log=$WORK/own.log
i=0
while IFS= read -r line; do
	want=${line%%  *} rules=${line##*  }
	say "$rules"
	seen=$(wc -l <"$log")
	s3_faults "${rules//|/$'\n'}"
	begin=$SECONDS
	add_window "${windows[i + 1]}"
	timeout 60 cat "$WORK/mnt/${windows[i]}/chunks/000001" >"$WORK/got" || fail "a read failed"
	# Where one replica's object is another version, the other's samples stand in, and stay.
	[[ $rules == *etag* ]] || check_bytes "$WORK/got" "$WORK/want/${windows[i]}/chunks/000001"
	while ((SECONDS - begin < 3)); do sleep 0.1; done
	wait_until 30 "something goes wrong" has_struck
	s3_faults ""
	wait_until 10 "the next window is as it should be" is_right $((i + 1)) index
	[[ $rules == *etag* ]] || wait_until 10 "this window is as it should be" is_right "$i" index chunks/000001

	[[ $want == - ]] || news | grep -F "$want" | grep -q "S3 bucket thanos at" || fail "the log does not say why: $(news)"
	# The cause itself, that no time was left for it, and that another read of the same had no answer: each once, until it is over; what the
	# rule before left behind may come first.
	often=$(news | awk '/msg="bucket answers again"/ { n["bucket does not answer"] = 0 }
		/level=(warn|error)/ { split($0, said, "msg=\""); sub(/".*/, "", said[2]); if (++n[said[2]] > 3) print said[2] }' | sort -u)
	[[ -z $often ]] || fail "the log says too often: $often: $(news)"
	(($(news | wc -l) <= 14)) || fail "the log has too many lines: $(news)"
	i=$((i + 1))
done <<<"$cases"
! grep -q 'msg="worker ended' "$log" || fail "a worker died"
unmount "$MOUNT_PID" "$WORK/mnt"
