/* SPDX-License-Identifier: Apache-2.0 */
/* What `thanosfs query` can be told. Names are those of Prometheus and Thanos where they have one. Times are ms. */
#ifndef CMD_QUERY_FLAGS_H
#define CMD_QUERY_FLAGS_H

#include "lib/base/flags.h"
#include "lib/base/log.h"

struct query_flags {
	bool help, version;
	char *tsdb_path;
	char *http_address, *web_config_file; /* the latter may be NULL */
	char *external_prefix, *route_prefix; /* "" or "/x" */
	char *cors_origin;
	uint64_t max_connections;
	int64_t read_timeout_ms, grace_ms;
	int64_t timeout_ms, lookback_ms;
	uint64_t max_samples, max_concurrency, memory_limit, threads;
	struct flag_strings features;
	enum log_level log_level;
	enum log_format log_format;
};

extern const struct flag_set query_flag_set;

/* As mount_flags_parse. */
int query_flags_parse(int argc, char *const *argv, struct query_flags *f, struct err *e);
void query_flags_fini(struct query_flags *f);

/* Appends {"query.timeout":"2m",...}: every flag that has a name, and its value in the form that it is given in. */
void query_flags_json(const struct query_flags *f, struct buf *out);

#endif
