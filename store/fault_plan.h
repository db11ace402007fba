/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to go wrong with a bucket, and how often, as --debug.faults says it: settings joined by commas.
 *
 *	seed=7			other seeds give other faults; the same ones the same
 *	error=0.05		chance of an error that passes
 *	retry-after=2s		what such an error asks for
 *	lasting=0.01		chance of an error that doesn't look as if it would pass
 *	latency=20ms..200ms	each operation takes this much longer
 *	truncate=0.01		chance of a read or a listing that fails after a part of it was delivered
 *	corrupt=0.01		chance of a read that succeeds with some bytes wrong
 *	stall=0.001:30s		chance of an operation that stands still for so long, or until its caller's deadline
 *	outage=60s+30s		nothing answers from so long after the start on, for so long; repeatable
 *	outage=/run/down	nothing answers as long as this file is there
 *	ops=read|list		the operations that all this applies to; else all
 *	read.error=0.2		one operation's own, whatever `ops` says: list, stat, open, read, put, remove
 */
#ifndef STORE_FAULT_PLAN_H
#define STORE_FAULT_PLAN_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum bucket_op {
	BUCKET_OP_LIST,
	BUCKET_OP_STAT,
	BUCKET_OP_OPEN,
	BUCKET_OP_READ,
	BUCKET_OP_PUT,
	BUCKET_OP_REMOVE,
	BUCKET_OPS
};

extern const char *const bucket_op_names[BUCKET_OPS];

/* Of one kind of operation. Chances are from 0 to 1. */
struct fault_rates {
	double error, lasting, truncate, corrupt, stall;
	int64_t stall_ms, latency_min_ms, latency_max_ms;
	unsigned retry_after_ms;
	bool has_outages;
};

#define FAULT_OUTAGES    16
#define FAULT_PATH_BYTES 256

struct fault_plan {
	uint64_t seed;
	struct fault_rates op[BUCKET_OPS];
	unsigned n_outages;
	struct {
		int64_t from_ms, length_ms;
	} outages[FAULT_OUTAGES];
	char outage_file[FAULT_PATH_BYTES]; /* "": none */
};

/* -EINVAL names the setting and what is wrong with it. */
int fault_plan_parse(const char *text, struct fault_plan *out, struct err *e);

#endif
