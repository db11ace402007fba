#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What we put into a bucket rclone reads, and what rclone puts there we read: names of all sorts, empty objects, objects in parts.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"
BUCKETCTL=$BUILD/tests/gen/bucketctl
need rclone

mkdir -p "$WORK/in/a b" "$WORK/in/01HZZZZZZZZZZZZZZZZZZZZZZZ/chunks"
echo one >"$WORK/in/a b/c+d&e=f"
echo two >"$WORK/in/a b/üñï %41~#?<>"
: >"$WORK/in/empty"
head -c 12000000 /dev/urandom >"$WORK/in/01HZZZZZZZZZZZZZZZZZZZZZZZ/chunks/000001"

agree() { # WHAT
	local config=$WORK/bucket.yaml name
	write_s3_config "$config" "part_size: 5242880"
	say "$1: rclone reads what we wrote"
	(cd "$WORK/in" && find . -type f -printf '%P\n') >"$WORK/names"
	while IFS= read -r name; do
		"$BUCKETCTL" "$config" put "$name" "$WORK/in/$name" || fail "$1: putting '$name'"
	done <"$WORK/names"
	rclone_s3 -q check --download "$WORK/in" "t:$S3_BUCKET" || fail "$1: rclone finds another content"
	check_equal "$("$BUCKETCTL" "$config" ls | cut -f 2)" "$(LC_ALL=C sort "$WORK/names")" "$1: our listing"
	while IFS= read -r name; do
		"$BUCKETCTL" "$config" rm "$name" || fail "$1: removing '$name'"
	done <"$WORK/names"
	check_equal "$(rclone_s3 lsf -R "t:$S3_BUCKET")" "" "$1: what rclone sees of an empty bucket"

	say "$1: we read what rclone wrote"
	rclone_s3 -q --s3-no-check-bucket --s3-upload-cutoff 5M --s3-chunk-size 5M copy "$WORK/in" "t:$S3_BUCKET"
	while IFS= read -r name; do
		"$BUCKETCTL" "$config" get "$name" >"$WORK/got" || fail "$1: getting '$name'"
		cmp "$WORK/in/$name" "$WORK/got" || fail "$1: '$name' is another"
		check_equal "$("$BUCKETCTL" "$config" stat "$name" | cut -f 1)" "$(stat -c %s "$WORK/in/$name")" "$1: size of '$name'"
	done <"$WORK/names"
}

start_s3serve own
agree s3serve
start_swift swift
agree Swift
