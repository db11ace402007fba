/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a file of runs, asked for every place and metric there may be. Bytes that start with 'r' get a checksum
 * that is right, so that what stands behind it is tried too.
 */
#include "dedup/metric_runs.h"
#include "lib/base/buf.h"
#include "lib/base/crc32c.h"
#include "lib/base/file.h"

#include <stdio.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_run(const struct metric_runs *r, const struct metric_run *run)
{
	struct metric_run again;
	if (run->from >= run->to || !metric_runs_at(r, run->segment, run->from, &again) ||
		again.metric != run->metric || again.from != run->from)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char path[64];
	auto_buf struct buf file = { 0 };
	auto_of(metric_runs) struct metric_runs *r = NULL;
	struct metric_run run, other;
	if (n == 0)
		return 0;
	buf_add(&file, data + 1, n - 1);
	if (data[0] == 'r' && file.len >= 8) {
		uint32_t crc = crc32c(0, file.data, file.len - 4);
		memcpy(file.data + file.len - 4, &crc, 4);
	}
	auto_close_fd int fd = memfd_create("runs", MFD_CLOEXEC);
	if (fd < 0 || file_write_all(fd, file.data, file.len) < 0)
		return 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (metric_runs_open(path, &r, NULL) < 0)
		return 0;
	for (uint32_t segment = 0; segment < 4; segment++)
		for (uint64_t at = 0; at < 300; at += 7) {
			if (!metric_runs_at(r, segment, at, &run))
				continue;
			check_run(r, &run);
			bool found = false;
			for (size_t k = 0; metric_runs_of(r, run.metric, k, &other); k++) {
				check_run(r, &other);
				found |= other.segment == run.segment && other.from == run.from;
			}
			if (!found)
				abort();
		}
	return 0;
}
