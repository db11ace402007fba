#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The S3 bucket keeps every promise of store/bucket.h on the S3 gateway of Ceph, where that is installed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/s3.bash"

start_radosgw ceph
s3_keeps_contract
