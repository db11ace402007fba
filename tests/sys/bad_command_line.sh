#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every malformed flag, configuration and relabelling step is refused before anything is mounted, with words that name it.
. "$(dirname "$0")/lib.sh"
[[ -x $THANOSFS ]] || fail "$THANOSFS is not built"

mkdir "$WORK/bucket" "$WORK/mnt"
printf 'type: FILESYSTEM\nconfig:\n  directory: "%s"\n' "$WORK/bucket" >"$WORK/good.yaml"
good=(--objstore.config-file="$WORK/good.yaml" --data-dir="$WORK/data")

# refused STATUS PART ARGUMENT...: the last line holds PART.
refused() {
	local want=$1 part=$2 status=0 said
	shift 2
	said=$(timeout 60 "$THANOSFS" "$@" 2>&1 </dev/null) || status=$?
	check_equal "$status" "$want" "the exit status of: thanosfs $*"
	check_has "$said" "$part" "what 'thanosfs $*' says"
	! mountpoint -q "$WORK/mnt" || fail "'thanosfs $*' mounted"
}

refused 2 "nosuch" nosuch
refused 2 "nosuch" mount "${good[@]}" --nosuch "$WORK/mnt"
refused 2 "min-time" mount "${good[@]}" --min-time=yesterday "$WORK/mnt"
refused 2 "min-time" mount "${good[@]}" --min-time "$WORK/mnt"
refused 2 "max-time" mount "${good[@]}" --max-time=2026-13-01T00:00:00Z "$WORK/mnt"
refused 2 "deduplication.func" mount "${good[@]}" --deduplication.func=best "$WORK/mnt"
refused 2 "cache.max-size" mount "${good[@]}" --cache.max-size=10XB "$WORK/mnt"
refused 2 "cache.max-size" mount "${good[@]}" --cache.max-size=99999999999999999999TB "$WORK/mnt"
refused 2 "sync-block-duration" mount "${good[@]}" --sync-block-duration=fast "$WORK/mnt"
refused 2 "consistency-delay" mount "${good[@]}" --consistency-delay=1h1h1 "$WORK/mnt"
refused 2 "log.level" mount "${good[@]}" --log.level=loud "$WORK/mnt"
refused 2 "log.format" mount "${good[@]}" --log.format=xml "$WORK/mnt"
refused 2 "mount point" mount "${good[@]}"
refused 2 "too much" mount "${good[@]}" "$WORK/mnt" "$WORK/mnt"
refused 2 "objstore" mount --data-dir="$WORK/data" "$WORK/mnt"
refused 1 "$WORK/absent" mount "${good[@]}" "$WORK/absent"
refused 1 "$WORK/good.yaml" mount "${good[@]}" "$WORK/good.yaml"

# configured PART YAML: the bucket's configuration, in a file and inline.
configured() {
	printf '%b' "$2" >"$WORK/bad.yaml"
	refused 1 "$1" mount --objstore.config-file="$WORK/bad.yaml" --data-dir="$WORK/data" "$WORK/mnt"
	refused 1 "bad.yaml" mount --objstore.config-file="$WORK/bad.yaml" --data-dir="$WORK/data" "$WORK/mnt"
	refused 1 "$1" mount --objstore.config="$(printf '%b' "$2")" --data-dir="$WORK/data" "$WORK/mnt"
}
configured "type" "config: {directory: /tmp}\n"
configured "FILESYSTEM" "type: NOSUCH\nconfig: {}\n"
configured "directory" "type: FILESYSTEM\nconfig: {}\n"
configured "directry" "type: FILESYSTEM\nconfig:\n  directry: /tmp\n"
configured "NOT_SET_ANYWHERE" "type: FILESYSTEM\nconfig:\n  directory: \${NOT_SET_ANYWHERE}/x\n"
configured "not YAML" "type: FILESYSTEM\nconfig:\n  directory: [unclosed\n"
configured "type" "type: [a, b]\nconfig: {}\n"
refused 1 "$WORK/absent.yaml" mount --objstore.config-file="$WORK/absent.yaml" --data-dir="$WORK/data" "$WORK/mnt"

# selected PART YAML: a relabelling configuration.
selected() {
	printf '%b' "$2" >"$WORK/selector.yaml"
	refused 1 "$1" mount "${good[@]}" --selector.relabel-config-file="$WORK/selector.yaml" "$WORK/mnt"
	refused 1 "$1" mount "${good[@]}" --selector.relabel-config="$(printf '%b' "$2")" "$WORK/mnt"
}
selected "action" "- {source_labels: [a], action: explode}\n"
selected "regex" "- {source_labels: [a], regex: '(', action: keep}\n"
selected "modulus" "- {source_labels: [a], action: hashmod, target_label: b}\n"
selected "nosuch" "- {source_labels: [a], nosuch: b}\n"
