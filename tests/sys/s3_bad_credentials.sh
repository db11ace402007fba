#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Credentials that are not taken, for whatever reason, are said as what they are, by `thanosfs mount` too, and once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"
need_fuse
need faketime
BUCKETCTL=$BUILD/tests/gen/bucketctl

# refused WHAT WORDS...: a listing fails, and its message has all the words, but no secret.
refused() {
	local what=$1 said word
	shift
	write_s3_config "$WORK/bucket.yaml"
	said=$("${before[@]}" "$BUCKETCTL" "$WORK/bucket.yaml" ls 2>&1) && fail "$what: it is taken"
	for word in "$@"; do
		check_has "$said" "$word" "what is said of $what"
	done
	[[ $said != *"$S3_SECRET_KEY"* ]] || fail "$what: the secret is told: $said"
	say "$what: $said"
}

check_server() { # WHAT WHAT_IT_CALLS_AN_UNKNOWN_KEY
	local good_secret=$S3_SECRET_KEY good_region=$S3_REGION good_key=$S3_ACCESS_KEY
	before=()
	write_s3_config "$WORK/good.yaml"
	"$BUCKETCTL" "$WORK/good.yaml" ls || fail "$1: good credentials are refused"
	S3_SECRET_KEY=not-the-secret
	refused "$1, a wrong secret" SignatureDoesNotMatch "$S3_BUCKET"
	S3_SECRET_KEY=$good_secret S3_ACCESS_KEY=nobody
	refused "$1, an unknown key" "$2"
	S3_ACCESS_KEY=$good_key S3_REGION=elsewhere-1
	refused "$1, a wrong region" AuthorizationHeaderMalformed "$good_region"
	S3_REGION=$good_region
	# The sanitizers and a preloaded clock don't go together.
	case $BUILD in
	*/asan | */tsan) ;;
	*)
		before=(faketime -f +1h)
		refused "$1, a clock that is an hour ahead" RequestTimeTooSkewed
		before=()
		;;
	esac
}

start_swift swift eu-test-1
check_server Swift SignatureDoesNotMatch
start_s3serve own
check_server s3serve InvalidAccessKeyId
s3_faults "do=expired"
refused "an expired token" ExpiredToken
s3_faults ""

say "the mount says it"
S3_SECRET_KEY=not-the-secret
write_s3_config "$WORK/bucket.yaml"
mount_start wrong "$WORK/mnt" --objstore.config-file="$WORK/bucket.yaml" --data-dir="$WORK/data" --start.timeout=3s
wait_until 30 "thanosfs gives up" is_gone "$MOUNT_PID"
check_equal "$(grep -c "level=warn.*SignatureDoesNotMatch" "$WORK/wrong.log")" 1 "how often it warned while it tried"
check_equal "$(grep -c "level=error.*SignatureDoesNotMatch" "$WORK/wrong.log")" 1 "how often it said why it gave up"
! grep -q "$S3_SECRET_KEY" "$WORK/wrong.log" || fail "the log has the secret"
! is_mounted "$WORK/mnt" || fail "it mounted"
