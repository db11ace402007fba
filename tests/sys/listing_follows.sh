#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Blocks that appear, are compacted, are marked for deletion or disappear change the listing at the next sync; files and mappings
# that are open go on reading the same bytes, and the listing never lacks a range of time in between.
. "$(dirname "$0")/lib.sh"
need_fuse
need jq python3

gen() { "$GENBUCKET" "$WORK/$1" --clusters eu --replicas a,b --hours 4 --end 1699992000000 --instances 2 --block-hours "$2"; }
gen small 2
gen big 4
by_time() { for b in "$1"/*/; do echo "$(jq .minTime "$b/meta.json") ${b%/}"; done | sort -n | cut -d' ' -f2; }
mapfile -t small < <(by_time "$WORK/small/bucket")
mapfile -t big < <(by_time "$WORK/big/bucket")
check_equal "${#small[@]} ${#big[@]}" "4 2" "the numbers of blocks"

mkdir "$WORK/bucket"
upload "${small[0]}" "$WORK/bucket"
upload "${small[1]}" "$WORK/bucket"
mount_bucket mount "$WORK/bucket" "$WORK/mnt" --query.replica-label=replica --sync-block-duration=1s
first=$(blocks_of "$WORK/mnt")
check_equal "$(wc -w <<<"$first")" 1 "the number of blocks"

# windows N COUNT: COUNT blocks that span N hours without a hole.
windows() {
	local metas
	metas=$(cd "$WORK/mnt" && blocks_of . | xargs -I{} cat {}/meta.json) || return
	[[ $(jq -s 'length' <<<"$metas") == "$2" ]] &&
		[[ $(jq -s '(map(.maxTime - .minTime) | add) > '"$1"' * 3600000 - 120000' <<<"$metas") == true ]]
}

# A reader that keeps a file open and mapped, and says at the end whether it still reads what it read at first.
cat >"$WORK/hold.py" <<'END'
import hashlib, mmap, os, signal, sys
files = [open(p, "rb", buffering=0) for p in sys.argv[1:]]
maps = [mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED) for f in files]
read = lambda: [hashlib.sha256(os.pread(f.fileno(), 1 << 30, 0)).hexdigest() for f in files]
before = read()
print("held", flush=True)
signal.sigwait([signal.SIGUSR1])
for f in files:
    os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
ok = read() == before and [hashlib.sha256(m[:]).hexdigest() for m in maps] == before
print("the same" if ok else "different", flush=True)
END
signals='import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); exec(open(sys.argv.pop(1)).read())'
python3 -c "$signals" "$WORK/hold.py" "$WORK/mnt/$first/index" "$WORK/mnt/$first/meta.json" "$WORK/mnt/$first"/chunks/* \
	>"$WORK/held" 2>&1 </dev/null &
holder=$!
pids+=("$holder")
wait_until 20 "the reader holds the files" grep -q held "$WORK/held"

# Whoever looks, at any time, finds the first two hours covered by exactly one block.
cat >"$WORK/watch.py" <<'END'
import json, os, signal, sys
mnt, mint = sys.argv[1], int(sys.argv[2])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
looks = 0
while not stop:
    covering = 0
    names = [n for n in os.listdir(mnt) if len(n) == 26]
    for name in names:
        try:
            meta = json.load(open(f"{mnt}/{name}/meta.json"))
        except FileNotFoundError:  # replaced between the listing and the look: list again
            covering = 1
            break
        covering += meta["minTime"] <= mint + 60000 < meta["maxTime"]
    if covering != 1:
        sys.exit(f"{covering} blocks cover the first minutes: {names}")
    looks += 1
print(looks, "looks")
END
python3 "$WORK/watch.py" "$WORK/mnt" "$(jq .minTime "${small[0]}/meta.json")" >"$WORK/watched" 2>&1 </dev/null &
watcher=$!
pids+=("$watcher")
logs+=("$WORK/watched")

say "new blocks appear"
upload "${small[2]}" "$WORK/bucket"
upload "${small[3]}" "$WORK/bucket"
both_replicas() { windows 4 2 && [[ $(jq -s 'map(.thanos) | length' "$WORK/mnt"/0*/meta.json) == 2 && $(
	cat "$WORK/mnt/.thanosfs/blocks.json"
) == *"$(basename "${small[3]}")"* ]]; }
wait_until 30 "the new window is listed" both_replicas

say "a compacted block takes the place of its sources"
for block in "${big[@]}"; do
	sources=()
	for source in "${small[@]}"; do
		[[ $(labels_of "$source") != "$(labels_of "$block")" ]] || sources+=("${source##*/}")
	done
	check_equal "${#sources[@]}" 2 "the sources of a compacted block"
	jq --tab '.compaction = {level: 2, sources: $ARGS.positional} | .thanos.source = "compactor"' "$block/meta.json" \
		--args "${sources[@]}" >"$WORK/meta.json"
	mv "$WORK/meta.json" "$block/meta.json"
	upload "$block" "$WORK/bucket"
done
wait_until 30 "one block covers it all" windows 4 1
only_big() {
	local sources
	sources=$(getfattr --only-values -n user.thanosfs.sources "$WORK/mnt/$(blocks_of "$WORK/mnt")") &&
		[[ $sources == *"${big[0]##*/}"* && $sources == *"${big[1]##*/}"* && $sources != *"${small[0]##*/}"* ]]
}
wait_until 30 "the compacted blocks are its sources" only_big
compacted=$(blocks_of "$WORK/mnt")

say "its sources go"
for block in "${small[@]}"; do
	mark_deleted "$WORK/bucket" "${block##*/}" 1
done
for block in "${small[@]}"; do
	rm -r "${WORK:?}/bucket/${block##*/}"
done

say "a mark that is old enough takes a replica away"
mark_deleted "$WORK/bucket" "${big[0]##*/}" 23
sleep 2.5
check_equal "$(blocks_of "$WORK/mnt")" "$compacted" "the block while the mark is young"
rm "$WORK/bucket/${big[0]##*/}/deletion-mark.json" # marks are never changed, but may be taken away
sleep 2.5
mark_deleted "$WORK/bucket" "${big[0]##*/}" 25
other_name() { [[ $(blocks_of "$WORK/mnt") != "$compacted" ]] && windows 4 1; }
wait_until 30 "the block of one replica is listed" other_name
check_has "$(cat "$WORK/mnt/.thanosfs/metrics")" 'thanosfs_blocks_skipped_total{reason="marked-for-deletion"}' "the metrics"

say "what was open still reads the same"
kill -TERM "$watcher"
wait "$watcher" || fail "the listing had a hole: $(cat "$WORK/watched")"
kill -USR1 "$holder"
wait_until 30 "the reader answers" grep -q "same\|different" "$WORK/held"
check_equal "$(tail -1 "$WORK/held")" "the same" "what the reader found"
wait "$holder"
unmount "$MOUNT_PID" "$WORK/mnt"
