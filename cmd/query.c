/* SPDX-License-Identifier: Apache-2.0 */
/* thanosfs query: Prometheus' HTTP API over a TSDB directory. One process, stateless: it can be ended and started at any time. */
#include "cmd/command.h"
#include "cmd/query_flags.h"
#include "lib/base/notify.h"
#include "lib/tsdb/block_source.h"
#include "query/api.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#define STATUS_FAILED 1
#define STATUS_USAGE  2

#define SERVER_THREADS 2 /* they only move bytes */
#define LOOK_SECONDS   5 /* between looks whether the web configuration's files have changed */

struct server {
	struct query_flags flags;
	struct series_source *source;
	struct regex *cors_origin;
	pthread_mutex_t lock;
	struct web_config *web; /* under lock once the server runs; NULL: none was given */
	struct api *api;
	struct http_server *http;
	struct buf flags_json;
};

static void fini(struct server *s)
{
	http_server_close(s->http);
	api_free(s->api);
	web_config_free(s->web);
	regex_free(s->cors_origin);
	series_source_free(s->source);
	buf_fini(&s->flags_json);
	query_flags_fini(&s->flags);
}

static void read_features(const struct flag_strings *names, struct promql_options *o)
{
	const struct {
		const char *name;
		bool *is_on;
	} known[] = { { "promql-experimental-functions", &o->features.experimental_functions },
		{ "promql-duration-expr", &o->features.duration_expressions },
		{ "promql-extended-range-selectors", &o->features.extended_ranges },
		{ "promql-binop-fill-modifiers", &o->features.fill_modifiers },
		{ "promql-delayed-name-removal", &o->delayed_name_removal },
		{ "use-start-timestamps", &o->start_times } };
	for (size_t i = 0; i < names->len; i++) {
		bool is_known = false;
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			if (!strcmp(names->data[i], known[k].name))
				is_known = *known[k].is_on = true;
		/* Prometheus has many that are about other things than queries, and goes on, too. */
		if (!is_known)
			log_warn("feature means nothing here", KV("feature", names->data[i]));
	}
}

static int reload(void *arg, struct err *e)
{
	struct server *s = arg;
	auto_of(web_config) struct web_config *next = NULL;
	if (!s->web)
		return 0;
	int r = web_config_load(s->flags.web_config_file, &next, e);
	if (r == 0)
		r = http_server_set_web(s->http, next, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&s->lock);
	struct web_config *before = s->web;
	s->web = take(next);
	pthread_mutex_unlock(&s->lock);
	web_config_free(before);
	return 0;
}

/* Programs that renew certificates may tell nobody. */
static bool has_changed(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	bool is = s->web && web_config_has_changed(s->web);
	pthread_mutex_unlock(&s->lock);
	return is;
}

static int start(struct server *s, struct err *e)
{
	const struct query_flags *f = &s->flags;
	struct api_options api = { .max_concurrency = (unsigned)f->max_concurrency,
		.external_prefix = f->external_prefix,
		.reload = reload,
		.reload_arg = s,
		.promql = { .lookback_ms = f->lookback_ms,
			.timeout_ms = f->timeout_ms,
			.max_samples = f->max_samples,
			.memory_limit = f->memory_limit,
			.threads = (unsigned)f->threads },
		.cors_any = !strcmp(f->cors_origin, ".*") };
	read_features(&f->features, &api.promql);
	query_flags_json(f, &s->flags_json);
	api.flags_json = buf_str(&s->flags_json);
	int r = regex_compile(f->cors_origin, strlen(f->cors_origin), &s->cors_origin, e);
	if (r < 0)
		return err_wrap(e, r, "flag --web.cors.origin");
	if (f->web_config_file && *f->web_config_file)
		r = web_config_load(f->web_config_file, &s->web, e);
	if (r == 0)
		r = block_source_open(f->tsdb_path, &s->source, e);
	if (r < 0)
		return r;
	api.source = s->source;
	api.cors_origin = s->cors_origin;
	s->api = api_new(&api);
	struct http_server_options http = { .address = f->http_address,
		.routes = api_routes,
		.arg = s->api,
		.threads = SERVER_THREADS,
		.grace_ms = (unsigned)f->grace_ms,
		.prefix = f->route_prefix,
		.max_connections = (unsigned)f->max_connections,
		.max_head_bytes = API_MAX_HEAD_BYTES,
		.max_body_bytes = API_MAX_BODY_BYTES,
		.read_timeout_ms = f->read_timeout_ms,
		.web = s->web };
	bool has_tls = s->web && s->web->cert_pem; /* once it runs, s->web is whoever reloads' */
	r = http_server_open(&http, &s->http, e);
	if (r < 0)
		return r;
	api_set_ready(s->api, true);
	log_info("listening for HTTP", KV("address", f->http_address),
		KV_U64("port", http_server_port(s->http)), KV("tls", has_tls ? "true" : "false"));
	notify_ready(NULL);
	return 0;
}

/* A descriptor a connection, and one a file of each block. */
static void raise_descriptor_limit(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int serve(struct server *s)
{
	struct err e = { .msg = "" };
	sigset_t set;
	int signal_number = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	if (start(s, &e) < 0) {
		log_error("query server failed", KV("err", e.msg));
		return STATUS_FAILED;
	}
	do {
		signal_number = sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = LOOK_SECONDS });
		if (signal_number == SIGHUP || (signal_number < 0 && has_changed(s)))
			api_reload(s->api, &e);
	} while (signal_number != SIGTERM && signal_number != SIGINT);
	log_info("ending", KV("signal", signal_number == SIGTERM ? "SIGTERM" : "SIGINT"));
	notify_stopping(NULL);
	api_set_ready(s->api, false);
	return 0;
}

int cmd_query(int argc, char **argv)
{
	struct err e = { .msg = "" };
	struct server s = { .lock = PTHREAD_MUTEX_INITIALIZER };
	int status;
	if (query_flags_parse(argc, argv, &s.flags, &e) < 0) {
		fprintf(stderr, "thanosfs query: %s\n", e.msg);
		status = STATUS_USAGE;
	} else if (s.flags.help || s.flags.version) {
		status = s.flags.help ? command_help(&query_flag_set) : command_version();
	} else {
		log_setup(s.flags.log_level, s.flags.log_format);
		status = serve(&s);
	}
	fini(&s);
	return status;
}
