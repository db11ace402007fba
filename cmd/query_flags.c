/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/query_flags.h"

#include "lib/base/duration.h"
#include "lib/base/json.h"

#include <errno.h>
#include <inttypes.h>

#define AT(field) .offset = offsetof(struct query_flags, field)

/* In the order of the enums whose numbers they become. */
static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const log_formats[] = { "logfmt", "json", NULL };

static const struct flag table[] = {
	{ .name = "help", .letter = 'h', .type = FLAG_BOOL, AT(help), .help = "Shows this help." },
	{ .name = "version", .type = FLAG_BOOL, AT(version), .help = "Shows the version." },
	{ .name = "tsdb.path",
		.type = FLAG_STRING,
		AT(tsdb_path),
		.value_name = "DIR",
		.help = "The TSDB directory whose blocks are queried: a mount of thanosfs, or any other." },
	{ .name = "http-address",
		.type = FLAG_STRING,
		AT(http_address),
		.value_name = "HOST:PORT",
		.default_text = ":10902",
		.help = "Where the API is served; without a host on every address." },
	{ .name = "http-grace-period",
		.type = FLAG_DURATION,
		AT(grace_ms),
		.value_name = "DURATION",
		.default_text = "2m",
		.help = "How long queries that run when the server is told to end may go on." },
	{ .name = "query.timeout",
		.type = FLAG_DURATION,
		AT(timeout_ms),
		.value_name = "DURATION",
		.default_text = "2m",
		.help = "The longest that a query may take, waiting for its turn included." },
	{ .name = "query.max-concurrency",
		.type = FLAG_COUNT,
		AT(max_concurrency),
		.value_name = "N",
		.default_text = "20",
		.lowest = 1,
		.highest = 10000,
		.help = "Queries that run at a time; others wait for their turn." },
	{ .name = "query.max-samples",
		.type = FLAG_COUNT,
		AT(max_samples),
		.value_name = "N",
		.default_text = "50000000",
		.help = "Samples that a query may hold in memory at a time; 0: no limit." },
	{ .name = "query.memory-limit",
		.type = FLAG_BYTES,
		AT(memory_limit),
		.value_name = "SIZE",
		.default_text = "2GB",
		.help = "Memory that a query may take; one that needs more fails. 0: no limit." },
	{ .name = "query.lookback-delta",
		.type = FLAG_DURATION,
		AT(lookback_ms),
		.value_name = "DURATION",
		.default_text = "5m",
		.help = "How old a sample may be and still count as a series' value." },
	{ .name = "query.threads",
		.type = FLAG_COUNT,
		AT(threads),
		.value_name = "N",
		.default_text = "0",
		.highest = 1024,
		.help = "Threads that a query is spread over; 0: one a core." },
	{ .name = "enable-feature",
		.type = FLAG_STRINGS,
		.splits_commas = true,
		AT(features),
		.value_name = "NAME",
		.help = "Features as Prometheus names them: promql-experimental-functions, "
			"promql-duration-expr, "
			"promql-extended-range-selectors, promql-binop-fill-modifiers, "
			"promql-delayed-name-removal, use-start-timestamps. Repeatable, and takes lists with "
			"commas." },
	{ .name = "web.config.file",
		.alias = "http.config",
		.type = FLAG_STRING,
		AT(web_config_file),
		.value_name = "FILE",
		.help = "TLS, users with bcrypt hashes of their passwords, and headers, in Prometheus' "
			"format." },
	{ .name = "web.route-prefix",
		.type = FLAG_STRING,
		AT(route_prefix),
		.value_name = "PATH",
		.default_text = "",
		.help = "What stands before every path that is served." },
	{ .name = "web.external-prefix",
		.type = FLAG_STRING,
		AT(external_prefix),
		.value_name = "PATH",
		.default_text = "",
		.help = "What stands before paths as clients see them, where a proxy changes them. The route "
			"prefix unless given." },
	{ .name = "web.cors.origin",
		.type = FLAG_STRING,
		AT(cors_origin),
		.value_name = "REGEX",
		.default_text = ".*",
		.help = "Origins of pages that may ask, as a regular expression for the whole of it." },
	{ .name = "web.max-connections",
		.type = FLAG_COUNT,
		AT(max_connections),
		.value_name = "N",
		.default_text = "512",
		.lowest = 8,
		.highest = 65536,
		.help = "Connections at a time; more are not accepted." },
	{ .name = "web.read-timeout",
		.type = FLAG_DURATION,
		AT(read_timeout_ms),
		.value_name = "DURATION",
		.default_text = "30s",
		.help = "How long a request may take to arrive, and a connection may be idle." },
	{ .name = "log.level",
		.type = FLAG_ENUM,
		AT(log_level),
		.value_name = "LEVEL",
		.default_text = "info",
		.choices = log_levels,
		.help = "Least level of what is logged." },
	{ .name = "log.format",
		.type = FLAG_ENUM,
		AT(log_format),
		.value_name = "FORMAT",
		.default_text = "logfmt",
		.choices = log_formats,
		.help = "Form of the log." },
	{ 0 },
};

const struct flag_set query_flag_set = {
	.usage = "thanosfs query [flags] --tsdb.path=DIR",
	.summary = "Serves Prometheus' HTTP API over the blocks in a TSDB directory.",
	.table = table,
};

/* "x/", "/x" and "/x/" are "/x"; "/" is "". */
static void clean_prefix(char **prefix)
{
	const char *p = *prefix ? *prefix : "";
	p += strspn(p, "/");
	size_t n = strlen(p);
	while (n && p[n - 1] == '/')
		n--;
	char *clean = n ? xasprintf("/%.*s", (int)n, p) : xstrdup("");
	free(*prefix);
	*prefix = clean;
}

static int check(const struct query_flags *f, struct err *e)
{
	if (!f->tsdb_path || !*f->tsdb_path)
		return err_set(e, -EINVAL, "the directory is missing: --tsdb.path");
	if (f->timeout_ms < 1)
		return err_set(e, -EINVAL, "flag --query.timeout: is 0");
	if (f->lookback_ms < 1)
		return err_set(e, -EINVAL, "flag --query.lookback-delta: is 0");
	if (f->read_timeout_ms < 1000)
		return err_set(e, -EINVAL, "flag --web.read-timeout: is shorter than 1s");
	if (f->grace_ms > UINT32_MAX)
		return err_set(e, -EINVAL, "flag --http-grace-period: is too long");
	return 0;
}

int query_flags_parse(int argc, char *const *argv, struct query_flags *f, struct err *e)
{
	auto_free const char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
	size_t n_rest;
	*f = (struct query_flags){ 0 };
	int r = flags_parse(&query_flag_set, argc, argv, f, rest, &n_rest, e);
	if (r < 0 || f->help || f->version)
		return r;
	if (n_rest)
		return err_set(e, -EINVAL, "\"%.64s\" is too much", rest[0]);
	clean_prefix(&f->route_prefix);
	clean_prefix(&f->external_prefix);
	if (!*f->external_prefix) {
		free(f->external_prefix);
		f->external_prefix = xstrdup(f->route_prefix);
	}
	return check(f, e);
}

void query_flags_fini(struct query_flags *f)
{
	flags_fini(&query_flag_set, f);
}

static void add_value(const struct flag *flag, const void *field, struct buf *out)
{
	const struct flag_strings *list = field;
	char text[DURATION_CHARS];
	switch (flag->type) {
	case FLAG_BOOL: buf_add_str(out, *(const bool *)field ? "true" : "false"); break;
	case FLAG_STRING:
		if (*(char *const *)field)
			buf_add_str(out, *(char *const *)field);
		break;
	case FLAG_STRINGS:
		for (size_t i = 0; i < list->len; i++)
			buf_printf(out, "%s%s", i ? "," : "", list->data[i]);
		break;
	case FLAG_ENUM: buf_add_str(out, flag->choices[*(const unsigned *)field]); break;
	case FLAG_DURATION: buf_add_str(out, duration_format(*(const int64_t *)field, text)); break;
	case FLAG_BYTES:
	case FLAG_COUNT: buf_printf(out, "%" PRIu64, *(const uint64_t *)field); break;
	case FLAG_TIME: break;
	}
}

void query_flags_json(const struct query_flags *f, struct buf *out)
{
	struct json_writer w;
	json_writer_init(&w, out, JSON_HTML);
	json_write_object(&w);
	for (const struct flag *flag = table; flag->name || flag->letter; flag++) {
		auto_buf struct buf value = { 0 };
		if (!flag->name || flag->type == FLAG_BOOL)
			continue;
		add_value(flag, (const char *)f + flag->offset, &value);
		json_write_key_str(&w, flag->name, buf_str(&value));
	}
	json_write_object_end(&w);
}
