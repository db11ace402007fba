/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the API: its answer's envelope, {"status":"success","data":...,"warnings":[...],"infos":[...]} or
 * {"status":"error","errorType":...,"error":...}, and what all endpoints need.
 */
#ifndef QUERY_API_CALL_H
#define QUERY_API_CALL_H

#include "lib/base/json.h"
#include "lib/promql/annotations.h"
#include "query/admission.h"
#include "query/api.h"

#include <pthread.h>
#include <stdatomic.h>

struct api {
	struct api_options o;
	struct admission *admission;
	int64_t began_unix_ms;
	atomic_bool is_ready;
	pthread_mutex_t reloading;
	atomic_bool reload_is_good;  /* the last one */
	_Atomic int64_t reloaded_ms; /* the last good one, or the start */
};

enum api_error {
	API_BAD_DATA,  /* 400 */
	API_EXECUTION, /* 422 */
	API_CANCELED,  /* 499, as nginx has it */
	API_TIMEOUT,   /* 503 */
	API_UNAVAILABLE
};

struct api_call {
	struct api *api;
	const struct http_request *q;
	struct http_reply *reply;
	struct buf *out; /* the reply's body */
	struct json_writer w;
	struct budget budget;
	struct arena *arena; /* ends with the call */
	bool is_broken;      /* part of an answer has left that turned out to be wrong */
	struct buf warnings; /* JSON strings of its own, with commas between */
};

/* An endpoint: writes the whole answer through the functions below. */
typedef void api_endpoint(struct api_call *c);

/* Runs it, for http_route.stream. */
bool api_call_run(
	struct api *a, const struct http_request *q, struct http_reply *reply, api_endpoint *endpoint);

const char *api_call_param(const struct api_call *c, const char *name); /* "" where there is none */

/* What is written between the two is `data`. */
void api_call_begin(struct api_call *c);
void api_call_warn(struct api_call *c, const char *words);
void api_call_end(struct api_call *c, struct annotations *a, struct text query); /* `a` may be NULL */

/* 0, or -ECANCELED: nobody reads. To be called after every element of an answer that may be long. */
int api_call_flush(struct api_call *c);

/* An error instead, also where part of an answer was written. */
void api_call_fail(struct api_call *c, enum api_error kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* invalid parameter "NAME": ... */
void api_call_fail_param(struct api_call *c, const char *name, const char *words);

/* A query of the source failed: by r, whose error is e. */
void api_call_fail_source(struct api_call *c, int r, const struct err *e);

/* Lets the answer leave, to which nothing is added any more; else it leaves when the endpoint returns. */
void api_call_send(struct api_call *c);

/* Takes an answer that is known beforehand. */
void api_call_give(struct api_call *c, const char *data_json);

void api_write_labels(struct buf *out, const struct label_set *s); /* {"name":"value",...} */

#endif
