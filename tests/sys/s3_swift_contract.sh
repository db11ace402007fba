#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The S3 bucket keeps every promise of store/bucket.h on OpenStack Swift, which verifies signatures.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"

start_swift swift eu-test-1
s3_keeps_contract
