/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' HTTP API (v1, as of 3.14: web/api/v1/api.go) over a series source, and what stands beside it: federation, health,
 * metrics. Parameters that only Thanos' querier knows (dedup, partial_response, max_source_resolution, replicaLabels[]) are taken and
 * mean nothing: what is read has been deduplicated already.
 */
#ifndef QUERY_API_H
#define QUERY_API_H

#include "lib/base/regex.h"
#include "lib/net/http_server.h"
#include "lib/promql/promql.h"

#define API_MAX_BODY_BYTES (4u << 20) /* four times the longest query, as forms are percent-encoded */
#define API_MAX_HEAD_BYTES (256u << 10)

struct api_options {
	struct series_source *source; /* borrowed */
	struct promql_options
		promql; /* timeout_ms: the longest that a request may ask for, and what it gets else */
	unsigned max_concurrency;        /* queries at a time */
	const struct regex *cors_origin; /* borrowed */
	bool cors_any;                   /* the expression takes every origin */
	const char *external_prefix;     /* of links, "" or "/x"; borrowed */
	const char *flags_json;          /* an object: every flag and its value; borrowed */
	/* Takes up what changed in the configuration. Called by one thread at a time. NULL: there is nothing to take up. */
	int (*reload)(void *arg, struct err *e);
	void *reload_arg;
};

struct api;

struct api *api_new(const struct api_options *o);
void api_free(struct api *a); /* NULL is fine */
DEFINE_AUTO(api, struct api *, api_free)

/* As POST /-/reload does it: 0, or what reload() failed with, which is logged; then what held before holds. */
int api_reload(struct api *a, struct err *e);

void api_set_ready(struct api *a, bool is_ready);

/* For http_server_options, whose `arg` is the api. */
extern const struct http_route api_routes[];

#endif
