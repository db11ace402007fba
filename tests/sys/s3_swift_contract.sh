#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The S3 bucket keeps every promise of store/bucket.h on OpenStack Swift, which verifies signatures.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"
[[ -x $BUILD/tests/unit/bucket_s3 ]] || fail "$BUILD/tests/unit/bucket_s3 is not built"

start_swift swift eu-test-1
write_s3_config "$WORK/bucket.yaml"
THANOSFS_TEST_S3_CONFIG=$WORK/bucket.yaml "$BUILD/tests/unit/bucket_s3" >"$WORK/contract.out" 2>&1 || {
	cat "$WORK/contract.out"
	fail "the contract is broken"
}
summary=$(tail -n 1 "$WORK/contract.out")
say "the contract: $summary" # of which the skipped ones are about one server only
passed=${summary%% *}
((passed >= 17)) || fail "not the whole contract was tried"
