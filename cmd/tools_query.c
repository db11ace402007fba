/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/tools_query.h"

#include "cmd/command.h"
#include "cmd/query_print.h"
#include "lib/base/clock.h"
#include "lib/base/duration.h"
#include "lib/net/http_client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define STATUS_FAILED 1
#define STATUS_USAGE  2

#define TIMEOUT_MS       120000
#define MOST_BYTES       JSON_MAX_BYTES
#define FAR_SECONDS      (9999 * 3600) /* how far to both sides of now series and labels are looked for */
#define RANGE_SECONDS    300
#define RANGE_MOST_STEPS 250

struct tools_flags {
	bool help, version;
	char *time, *start, *end;
	int64_t step_ms;
	struct flag_strings matches, headers;
	unsigned format;
};

enum format { FORMAT_PROMQL, FORMAT_JSON };
static const char *const formats[] = { "promql", "json", NULL };

#define AT(field) .offset = offsetof(struct tools_flags, field)

static const struct flag table[] = {
	{ .name = "help", .letter = 'h', .type = FLAG_BOOL, AT(help), .help = "Shows this help." },
	{ .name = "version", .type = FLAG_BOOL, AT(version), .help = "Shows the version." },
	{ .name = "format",
		.letter = 'o',
		.type = FLAG_ENUM,
		AT(format),
		.value_name = "FORMAT",
		.default_text = "promql",
		.choices = formats,
		.help = "Form of the answer." },
	{ .name = "time",
		.type = FLAG_STRING,
		AT(time),
		.value_name = "TIME",
		.help = "When an instant query is asked, RFC 3339 or seconds since 1970. Now unless given." },
	{ .name = "start",
		.type = FLAG_STRING,
		AT(start),
		.value_name = "TIME",
		.help = "Where the range begins: 5 minutes before its end unless given, of series and labels "
			"9999 hours ago." },
	{ .name = "end",
		.type = FLAG_STRING,
		AT(end),
		.value_name = "TIME",
		.help = "Where the range ends: now unless given, of series and labels in 9999 hours." },
	{ .name = "step",
		.type = FLAG_DURATION,
		AT(step_ms),
		.value_name = "DURATION",
		.default_text = "0s",
		.help = "Between two values of a range query; 0: so that there are about 250." },
	{ .name = "match",
		.type = FLAG_STRINGS,
		AT(matches),
		.value_name = "SELECTOR",
		.help = "Which series; repeatable." },
	{ .name = "header",
		.type = FLAG_STRINGS,
		AT(headers),
		.value_name = "NAME=VALUE",
		.help = "A header to send, as for authentication; repeatable." },
	{ 0 },
};

const struct flag_set tools_query_flag_set = {
	.usage = "thanosfs tools query instant|range|series|labels [flags] SERVER [EXPR|NAME]",
	.summary = "Asks a server with Prometheus' HTTP API, as promtool query does.",
	.table = table,
};

struct asking {
	const struct tools_flags *flags;
	const char *server, *what; /* what: the expression or the label's name; NULL for series */
	struct buf path, form;     /* what of the URL comes behind the server, and the parameters */
	int (*print)(const struct json_at *data, struct buf *out, struct err *e);
};

static void add_param(struct asking *a, const char *name, const char *value)
{
	buf_printf(&a->form, "%s%s=", a->form.len ? "&" : "", name);
	http_escape(value, false, &a->form);
}

static void add_seconds(struct asking *a, const char *name, int64_t ms)
{
	char text[40];
	snprintf(text, sizeof text, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
	add_param(a, name, text);
}

/* ms; `otherwise` where it isn't given. */
static int time_of(const char *flag, const char *text, int64_t otherwise, int64_t *ms, struct err *e)
{
	char *end;
	*ms = otherwise;
	if (!text || !*text)
		return 0;
	double seconds = strtod(text, &end);
	if (!*end && seconds > -1e12 && seconds < 1e12)
		*ms = (int64_t)(seconds * 1000);
	else if (time_parse(text, ms, NULL) < 0)
		return err_set(e, -EINVAL, "--%s: \"%.64s\" is neither seconds nor a date", flag, text);
	return 0;
}

static int prepare_instant(struct asking *a, struct err *e)
{
	int64_t at;
	int r = time_of("time", a->flags->time, clock_unix_ms(), &at, e);
	if (r < 0)
		return r;
	buf_add_str(&a->path, "/api/v1/query");
	add_param(a, "query", a->what);
	add_seconds(a, "time", at);
	a->print = query_print_value;
	return 0;
}

static int read_range(
	const struct asking *a, int64_t before, int64_t after, int64_t *start, int64_t *end, struct err *e)
{
	int r = time_of("end", a->flags->end, clock_unix_ms() + after * 1000, end, e);
	if (r == 0)
		r = time_of("start", a->flags->start, *end - before * 1000, start, e);
	if (r == 0 && *start >= *end)
		r = err_set(e, -EINVAL, "start time is not before end time");
	return r;
}

static int prepare_range(struct asking *a, struct err *e)
{
	int64_t start, end, step = a->flags->step_ms;
	int r = read_range(a, RANGE_SECONDS, 0, &start, &end, e);
	if (r < 0)
		return r;
	if (!step)
		step = MAX_OF((end - start) / 1000 / RANGE_MOST_STEPS, 1) * 1000;
	buf_add_str(&a->path, "/api/v1/query_range");
	add_param(a, "query", a->what);
	add_seconds(a, "start", start);
	add_seconds(a, "end", end);
	add_seconds(a, "step", step);
	a->print = query_print_value;
	return 0;
}

static int prepare_list(struct asking *a, struct err *e)
{
	int64_t start, end;
	int r = read_range(a, 2 * FAR_SECONDS, FAR_SECONDS, &start, &end, e);
	for (size_t i = 0; i < a->flags->matches.len; i++)
		add_param(a, "match[]", a->flags->matches.data[i]);
	add_seconds(a, "start", start);
	add_seconds(a, "end", end);
	return r;
}

static int prepare_series(struct asking *a, struct err *e)
{
	if (!a->flags->matches.len)
		return err_set(e, -EINVAL, "which series? --match is missing");
	buf_add_str(&a->path, "/api/v1/series");
	a->print = query_print_series;
	return prepare_list(a, e);
}

static int prepare_labels(struct asking *a, struct err *e)
{
	buf_add_str(&a->path, "/api/v1/label/");
	http_escape(a->what, false, &a->path);
	buf_add_str(&a->path, "/values");
	a->print = query_print_words;
	return prepare_list(a, e);
}

static const struct kind {
	const char *name, *argument; /* NULL: none but the server */
	int (*prepare)(struct asking *a, struct err *e);
} kinds[] = {
	{ "instant", "the expression", prepare_instant },
	{ "range", "the expression", prepare_range },
	{ "series", NULL, prepare_series },
	{ "labels", "the label's name", prepare_labels },
};

/* "NAME=VALUE" each; both are borrowed from the flags, which are changed for it. */
static int split_headers(const struct flag_strings *list, struct http_header *out, struct err *e)
{
	for (size_t i = 0; i < list->len; i++) {
		char *equals = strchr(list->data[i], '=');
		if (!equals || equals == list->data[i])
			return err_set(e, -EINVAL, "--header: \"%.64s\" is not of the form NAME=VALUE",
				list->data[i]);
		*equals = 0;
		out[i] = (struct http_header){ list->data[i], equals + 1 };
	}
	return 0;
}

/* The answer's text. Expressions are sent as forms, as they may be long. */
static int exchange(struct asking *a, struct buf *answer, struct err *e)
{
	auto_of(http_client) struct http_client *client = NULL;
	auto_free struct http_header *headers = xcalloc(a->flags->headers.len + 1, sizeof *headers);
	bool is_form = a->print != query_print_words;
	const char *server = a->server;
	size_t n = strlen(server);
	while (n && server[n - 1] == '/')
		n--;
	auto_free char *url = xasprintf("%s%.*s%s%s%s", strstr(server, "://") ? "" : "http://", (int)n,
		server, buf_str(&a->path), is_form ? "" : "?", is_form ? "" : buf_str(&a->form));
	auto_of(blob) struct blob *form =
		is_form ? blob_of_memory("the form", a->form.data, a->form.len) : NULL;
	int r = split_headers(&a->flags->headers, headers, e);
	if (r == 0)
		r = http_client_new(&(struct http_client_options){ 0 }, &client, e);
	if (r < 0)
		return r;
	headers[a->flags->headers.len] =
		(struct http_header){ "Content-Type", "application/x-www-form-urlencoded" };
	struct http_call call = { .method = is_form ? "POST" : "GET",
		.url = url,
		.headers = headers,
		.n_headers = a->flags->headers.len + is_form,
		.body = form,
		.body_bytes = a->form.len,
		.out = answer,
		.max_bytes = MOST_BYTES,
		.timeout_ms = TIMEOUT_MS };
	r = http_call(client, &call, e);
	http_call_fini(&call);
	return r;
}

static int print_answer(const struct asking *a, const struct buf *answer, struct buf *out, struct err *e)
{
	auto_of(json_doc) struct json_doc *doc = NULL;
	const char *status, *type = "", *words = "";
	struct json_at data, shown;
	int r = json_doc_parse("the answer", answer->data, answer->len, &doc, e);
	if (r < 0)
		return r;
	struct json_at root = json_root(doc);
	r = json_get_str(&root, "status", &status, e);
	if (r <= 0)
		return r < 0 ? r : json_fail(&root, e, -EBADMSG, "has no status");
	if (strcmp(status, "success") != 0) {
		json_get_str(&root, "errorType", &type, NULL);
		json_get_str(&root, "error", &words, NULL);
		return err_set(e, -EINVAL, "%s: %s", type, words);
	}
	r = json_get(&root, "data", &data, e);
	if (r <= 0)
		return r < 0 ? r : json_fail(&root, e, -EBADMSG, "has no data");
	if (a->flags->format != FORMAT_JSON)
		return a->print(&data, out, e);
	shown = data;
	if (a->print == query_print_value && json_get(&data, "result", &shown, e) <= 0)
		return json_fail(&data, e, -EBADMSG, "has no result");
	json_text(&shown, out);
	buf_add_u8(out, '\n');
	return 0;
}

static int ask(struct asking *a, struct err *e)
{
	auto_buf struct buf answer = { 0 }, out = { 0 };
	int r = exchange(a, &answer, e);
	if (r == 0)
		r = print_answer(a, &answer, &out, e);
	if (r < 0)
		return r;
	if (fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		return err_errno(e, -errno, "writing to standard output");
	return 0;
}

/* rest: "query", the kind, the server, and what it needs. */
static int understand(struct asking *a, const char *const *rest, size_t n, struct err *e)
{
	if (n == 0 || strcmp(rest[0], "query") != 0)
		return err_set(e, -EINVAL, "which tool? There is: query");
	for (size_t i = 0; n > 1 && i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, rest[1]) != 0)
			continue;
		size_t want = kinds[i].argument ? 4 : 3;
		if (n < 3)
			return err_set(e, -EINVAL, "the server is missing");
		if (n < want)
			return err_set(e, -EINVAL, "%s is missing", kinds[i].argument);
		if (n > want)
			return err_set(e, -EINVAL, "\"%.64s\" is too much", rest[want]);
		a->server = rest[2];
		a->what = kinds[i].argument ? rest[3] : NULL;
		return kinds[i].prepare(a, e);
	}
	return err_set(e, -EINVAL, "which query? There are: instant, range, series, labels");
}

int cmd_tools(int argc, char **argv)
{
	auto_free const char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
	struct tools_flags flags = { 0 };
	struct asking a = { .flags = &flags };
	struct err e = { .msg = "" };
	size_t n_rest;
	int status = 0;
	int r = flags_parse(&tools_query_flag_set, argc, argv, &flags, rest, &n_rest, &e);
	if (r == 0 && (flags.help || flags.version)) {
		status = flags.help ? command_help(&tools_query_flag_set) : command_version();
	} else if (r < 0 || understand(&a, rest, n_rest, &e) < 0) {
		fprintf(stderr, "thanosfs tools: %s\n", e.msg);
		status = STATUS_USAGE;
	} else if (ask(&a, &e) < 0) {
		fprintf(stderr, "query error: %s\n", e.msg);
		status = STATUS_FAILED;
	}
	buf_fini(&a.path);
	buf_fini(&a.form);
	flags_fini(&tools_query_flag_set, &flags);
	return status;
}
