/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a filesystem bucket of HA pairs, and the truth to check it against.
 *
 * The fleet (tests/support/fleet.h) says what is true; a replica only decides when it looks: its own phase, a
 * jitter of up to 5 ms in three of ten scrapes, one scrape in 2,000 missed, and outages, by minutes since
 *1970:
 *
 *	first replica	130 to 137 of every 4 h
 *	second		210 to 221 of every 6 h
 *	others		20 to 24 of every 3 h, each 7 minutes after the one before
 *
 * A series that goes away gets a stale marker at the next scrape, unless the replica misses it. The truth
 * looks at every step, without phase, jitter or outage. The same options give the same bytes.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/tsdb/block_write.h"
#include "tests/support/fleet.h"
#include "tests/support/options.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define HOUR_MS   3600000
#define MINUTE_MS 60000

struct options {
	struct flag_strings clusters, replicas;
	uint64_t hours, block_hours, instances, seed;
	int64_t step_ms;
	char *end_text;
	int64_t end_ms;
	bool truth, histograms, help;
};

static const struct flag table[] = {
	OPTION("clusters", FLAG_STRINGS, clusters, "Values of the external label cluster.",
		.splits_commas = true, .value_name = "NAMES", .default_text = "eu,us"),
	OPTION("replicas", FLAG_STRINGS, replicas, "Values of the external label replica.",
		.splits_commas = true, .value_name = "NAMES", .default_text = "a,b"),
	OPTION("hours", FLAG_COUNT, hours, "How long.", .value_name = "N", .default_text = "6", .lowest = 1,
		.highest = 200000),
	OPTION("block-hours", FLAG_COUNT, block_hours, "The length of a block.", .value_name = "N",
		.default_text = "2", .lowest = 1, .highest = 10000),
	OPTION("end", FLAG_STRING, end_text,
		"The end, in ms since 1970; the last full block length before now if not given.",
		.value_name = "MS"),
	OPTION("instances", FLAG_COUNT, instances,
		"Machines a cluster: about 115 series each, and as many again of its two pods.",
		.value_name = "N", .default_text = "4", .lowest = 1, .highest = 100000),
	OPTION("step", FLAG_DURATION, step_ms, "Between scrapes.", .value_name = "DURATION",
		.default_text = "15s"),
	OPTION("seed", FLAG_COUNT, seed, "Decides everything that looks random.", .value_name = "N",
		.default_text = "1"),
	OPTION("truth", FLAG_BOOL, truth,
		"Write OUT/truth too, a TSDB directory with cluster labels and no replicas."),
	OPTION("histograms", FLAG_BOOL, histograms, "Native histograms too.", .default_text = "true"),
	OPTION_HELP,
	{ 0 },
};

static const struct flag_set flags = {
	.usage = "genbucket [flags] OUT",
	.summary = "Makes OUT/bucket, a bucket of blocks of HA pairs, and OUT/bucket.yaml. What these names "
		   "held is removed.",
	.table = table,
};

/* Who looks. */
struct observer {
	const struct options *options;
	const char *cluster; /* NULL: all of them, with a label */
	const char *replica; /* NULL: the truth */
	unsigned number;     /* of the replica */
	struct labels external;
	const char *dir; /* where its blocks go */
	struct {
		uint64_t samples, series, blocks;
	} made;
};

static bool is_down(unsigned replica, int64_t t)
{
	int64_t minute = t / MINUTE_MS, at;
	switch (replica) {
	case 0: at = minute % 240; return at >= 130 && at < 137;
	case 1: at = minute % 360; return at >= 210 && at < 221;
	default: at = (minute + 180 - 7 * (replica - 2) % 180) % 180; return at >= 20 && at < 24;
	}
}

struct times {
	VEC(int64_t) t;
	uint64_t target;
	bool known;
};

/* When the observer scrapes a target in [from, to). */
static void scrape_times(
	const struct observer *o, uint64_t target, int64_t from, int64_t to, struct times *out)
{
	if (out->known && out->target == target)
		return;
	int64_t step = o->options->step_ms;
	uint64_t key = o->replica ? fleet_key(target, o->replica, "scrapes") : 0;
	int64_t phase = o->replica ? 10 + (int64_t)(fleet_uniform(key) * (double)(step - 20)) : 0;
	out->known = true;
	out->target = target;
	out->t.len = 0;
	for (int64_t i = from / step - 1; i * step < to; i++) {
		int64_t t = i * step + phase;
		if (o->replica) {
			uint64_t luck = fleet_mix(key ^ (uint64_t)i * 0x9e3779b97f4a7c15u);
			if (is_down(o->number, t) || luck % 2000 == 0)
				continue;
			if (luck >> 32 & 1 && (luck >> 33) % 5 < 3)
				t += (int64_t)((luck >> 40) % 11) - 5;
		}
		if (t >= from && t < to)
			vec_push(&out->t, t);
	}
}

/* What of the target's scrapes a series gets: [first, end), and a stale marker at `end` where there is one.
 */
struct span {
	size_t first, end;
	bool goes_stale;
};

static size_t lower_bound(const struct times *times, int64_t t)
{
	size_t lo = 0, hi = times->t.len;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (times->t.data[mid] < t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct span span_of(const struct fleet_series *s, const struct times *times, int64_t step)
{
	struct span p = { .first = lower_bound(times, s->from), .end = lower_bound(times, s->to) };
	p.goes_stale = p.end < times->t.len && times->t.data[p.end] - s->to < step;
	return p;
}

struct columns {
	VEC(uint64_t) v;
	VEC(struct histogram_pick) picks;
	VEC(uint64_t) sum, count, zero_count, buckets;
};

static void columns_fini(struct columns *c)
{
	vec_fini(&c->v);
	vec_fini(&c->picks);
	vec_fini(&c->sum);
	vec_fini(&c->count);
	vec_fini(&c->zero_count);
	vec_fini(&c->buckets);
}

static int add_floats(struct block_writer *w, const struct fleet_series *s, int64_t *t, struct span p,
	struct columns *c, struct err *e)
{
	size_t n = p.end - p.first;
	vec_reserve(&c->v, n + 1);
	fleet_values(s, t, n, c->v.data);
	if (p.goes_stale)
		c->v.data[n++] = STALE_NAN_BITS;
	return block_writer_floats(w, t, c->v.data, n, e);
}

static int add_histograms(struct block_writer *w, const struct fleet_series *s, int64_t *t, struct span p,
	struct columns *c, struct err *e)
{
	size_t n = p.end - p.first;
	struct histogram_span buckets = { .offset = -7, .length = FLEET_BUCKETS };
	vec_reserve(&c->sum, n + 1);
	vec_reserve(&c->count, n + 1);
	vec_reserve(&c->zero_count, n + 1);
	vec_reserve(&c->buckets, (n + 1) * FLEET_BUCKETS);
	vec_reserve(&c->picks, n + 1);
	memset(c->zero_count.data, 0, (n + 1) * sizeof(uint64_t)); /* 0.0 in floats too */
	for (size_t i = 0; i < n; i++)
		c->count.data[i] =
			fleet_histogram(s, t[i], &c->buckets.data[i * FLEET_BUCKETS], &c->sum.data[i]);
	if (p.goes_stale) {
		c->count.data[n] = 0;
		c->sum.data[n] = STALE_NAN_BITS;
		memset(&c->buckets.data[n * FLEET_BUCKETS], 0, FLEET_BUCKETS * sizeof(uint64_t));
		n++;
	}
	struct histogram_chunk all = { .is_float = s->kind == FLEET_FLOAT_HISTOGRAM,
		.layout = { .zero_threshold = 1e-128,
			.positive = &buckets,
			.n_positive = 1,
			.positive_buckets = FLEET_BUCKETS },
		.n = n,
		.t = t,
		.sum = c->sum.data,
		.count = c->count.data,
		.zero_count = c->zero_count.data,
		.buckets = c->buckets.data };
	for (size_t i = 0; i < n; i++)
		c->picks.data[i] = (struct histogram_pick){ .from = &all, .index = (uint32_t)i };
	return block_writer_histograms(w, c->picks.data, n, HISTOGRAM_UNKNOWN_RESET, e);
}

static int by_labels(const void *a, const void *b)
{
	const struct fleet_series *x = a, *y = b;
	return labels_cmp(&x->labels, &y->labels);
}

static void collect(const struct observer *o, int64_t from, int64_t to, struct fleet *out)
{
	const struct options *opt = o->options;
	struct fleet_options fo = {
		.seed = opt->seed, .instances = (unsigned)opt->instances, .histograms = opt->histograms
	};
	for (size_t c = 0; c < opt->clusters.len; c++) {
		const char *cluster = opt->clusters.data[c];
		if (o->cluster && strcmp(cluster, o->cluster) != 0)
			continue;
		size_t first = out->series.len;
		/* A step earlier, for the stale markers of what has just gone. */
		fleet_at(&fo, cluster, from - opt->step_ms, to, out);
		for (size_t i = first; !o->cluster && i < out->series.len; i++)
			labels_set(&out->series.data[i].labels, "cluster", cluster);
	}
	vec_sort(&out->series, by_labels);
}

static int add_series(struct observer *o, struct block_writer *w, const struct fleet *fleet, int64_t from,
	int64_t to, struct err *e)
{
	VEC(struct times) cache = {
		0
	}; /* of targets, by key: series of one target are spread over the block */
	vec_reserve(&cache, 4096);
	memset(cache.data, 0, 4096 * sizeof *cache.data);
	struct columns c = { 0 };
	int r = 0;
	for (size_t i = 0; i < fleet->series.len && r == 0; i++) {
		const struct fleet_series *s = &fleet->series.data[i];
		struct times *times = &cache.data[s->target & 4095];
		scrape_times(o, s->target, from, to, times);
		struct span p = span_of(s, times, o->options->step_ms);
		if (p.first == p.end && !p.goes_stale)
			continue;
		r = block_writer_labels(w, &s->labels, e);
		if (r == 0 && (s->kind == FLEET_HISTOGRAM || s->kind == FLEET_FLOAT_HISTOGRAM))
			r = add_histograms(w, s, times->t.data + p.first, p, &c, e);
		else if (r == 0)
			r = add_floats(w, s, times->t.data + p.first, p, &c, e);
	}
	for (size_t i = 0; i < 4096; i++)
		vec_fini(&cache.data[i].t);
	vec_fini(&cache);
	columns_fini(&c);
	return r;
}

static struct ulid block_ulid(const struct observer *o, int64_t from, int64_t to)
{
	char who[256], when[64];
	uint8_t rest[10];
	snprintf(who, sizeof who, "%s/%s", o->cluster ? o->cluster : "", o->replica ? o->replica : "truth");
	snprintf(when, sizeof when, "%" PRId64 "-%" PRId64 "/%" PRIu64, from, to, o->options->instances);
	uint64_t a = fleet_key(o->options->seed, who, when), b = fleet_mix(a + 1);
	memcpy(rest, &a, 8);
	memcpy(rest + 8, &b, 2);
	return ulid_make(to, rest);
}

static int make_block(struct observer *o, int64_t from, int64_t to, struct err *e)
{
	auto_of(block_writer) struct block_writer *w = NULL;
	auto_of(block_meta) struct block_meta *m = xcalloc(1, sizeof *m);
	struct block_writer_options wo = {
		.is_relaxed = true, .parent = o->dir, .ulid = block_ulid(o, from, to)
	};
	struct fleet fleet = { 0 };
	collect(o, from, to, &fleet);
	VEC(const struct labels *) sets = { 0 };
	vec_each (s, &fleet.series)
		vec_push(&sets, &s->labels);
	int r = block_writer_open(&wo, &w, e);
	if (r == 0)
		r = block_writer_label_sets(w, sets.data, sets.len, e);
	if (r == 0)
		r = add_series(o, w, &fleet, from, to, e);
	vec_fini(&sets);
	fleet_fini(&fleet);
	if (r < 0)
		return r;
	m->min_time = from;
	m->max_time = to;
	if (o->replica) {
		m->thanos.present = true;
		m->thanos.source = xstrdup("sidecar");
		labels_copy(&m->thanos.labels, &o->external);
	}
	r = block_writer_finish(w, m, e);
	o->made.samples += m->stats.samples;
	o->made.series += m->stats.series;
	o->made.blocks++;
	return r;
}

static int observe(struct observer *o, struct err *e)
{
	const struct options *opt = o->options;
	int64_t block_ms = (int64_t)opt->block_hours * HOUR_MS, end = opt->end_ms;
	int r = 0;
	for (int64_t from = end - (int64_t)opt->hours * HOUR_MS; from < end && r == 0;) {
		/* Blocks end at whole multiples of their length, as Prometheus' do. */
		int64_t to = MIN_OF((from / block_ms + 1) * block_ms, end);
		r = make_block(o, from, to, e);
		from = to;
	}
	return r;
}

static void report(const struct observer *o, uint64_t *samples)
{
	*samples += o->made.samples;
	printf("%s%s%s: %" PRIu64 " blocks, %" PRIu64 " series, %" PRIu64 " samples\n",
		o->cluster ? o->cluster : "truth", o->replica ? "/" : "", o->replica ? o->replica : "",
		o->made.blocks, o->made.series, o->made.samples);
}

/* What threads take from: one job an observer. */
struct work {
	struct observer *jobs;
	size_t n;
	_Atomic size_t next;
	_Atomic int failed;
	struct err e; /* of the one that failed first */
};

static void *work(void *arg)
{
	struct work *w = arg;
	for (size_t i; (i = w->next++) < w->n && !w->failed;) {
		struct err e;
		int r = observe(&w->jobs[i], &e), none = 0;
		if (r < 0 && atomic_compare_exchange_strong(&w->failed, &none, r))
			w->e = e;
	}
	return NULL;
}

static int run(struct work *w, struct err *e)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = MIN_OF(w->n, (size_t)MAX_OF(processors, 1));
	auto_free pthread_t *threads = xcalloc(n, sizeof *threads);
	size_t started = 1; /* this one works too */
	while (started < n && pthread_create(&threads[started], NULL, work, w) == 0)
		started++;
	work(w);
	while (--started)
		pthread_join(threads[started], NULL);
	return w->failed ? err_set(e, w->failed, "%s", w->e.msg) : 0;
}

static int observe_all(
	const struct options *opt, const char *bucket, const char *truth, uint64_t *samples, struct err *e)
{
	struct work w = { .jobs = xcalloc(opt->clusters.len * opt->replicas.len + 1, sizeof *w.jobs) };
	for (size_t c = 0; c < opt->clusters.len; c++)
		for (size_t k = 0; k < opt->replicas.len; k++) {
			struct observer *o = &w.jobs[w.n++];
			*o = (struct observer){ .options = opt,
				.cluster = opt->clusters.data[c],
				.replica = opt->replicas.data[k],
				.number = (unsigned)k,
				.dir = bucket };
			labels_set(&o->external, "cluster", o->cluster);
			labels_set(&o->external, "replica", o->replica);
		}
	if (truth)
		w.jobs[w.n++] = (struct observer){ .options = opt, .dir = truth };
	int r = run(&w, e);
	for (size_t i = 0; i < w.n; i++) {
		if (r == 0)
			report(&w.jobs[i], samples);
		labels_fini(&w.jobs[i].external);
	}
	free(w.jobs);
	return r;
}

static int make(const struct options *opt, const char *out, uint64_t *samples, struct err *e)
{
	auto_free char *bucket = xasprintf("%s/bucket", out), *truth = xasprintf("%s/truth", out),
		       *yaml = xasprintf("%s/bucket.yaml", out);
	int r = file_remove_tree(bucket, e);
	if (r == 0)
		r = file_remove_tree(truth, e);
	if (r == 0)
		r = file_mkdirs(bucket, 0755, e);
	if (r == 0 && opt->truth)
		r = file_mkdirs(truth, 0755, e);
	if (r == 0)
		r = observe_all(opt, bucket, opt->truth ? truth : NULL, samples, e);
	if (r < 0)
		return r;
	auto_free char *absolute = realpath(bucket, NULL);
	if (!absolute)
		return err_errno(e, -errno, "resolving %s", bucket);
	auto_buf struct buf text = { 0 };
	buf_printf(&text, "type: FILESYSTEM\nconfig:\n  directory: \"%s\"\n", absolute);
	return file_replace(yaml, text.data, text.len, e);
}

static int check_options(struct options *opt, struct err *e)
{
	int64_t block_ms = (int64_t)opt->block_hours * HOUR_MS;
	if (!opt->clusters.len || !opt->replicas.len)
		return err_set(e, -EINVAL, "there must be a cluster and a replica");
	if (opt->step_ms < 1000)
		return err_set(e, -EINVAL, "--step must be 1s or more");
	opt->end_ms = clock_unix_ms() / block_ms * block_ms;
	if (opt->end_text) {
		char *rest;
		errno = 0;
		opt->end_ms = strtoll(opt->end_text, &rest, 10);
		if (errno || *rest || !*opt->end_text || opt->end_ms > ((int64_t)1 << 48) - 1)
			return err_set(e, -EINVAL, "--end: \"%s\" is no time in ms", opt->end_text);
	}
	if (opt->end_ms - (int64_t)opt->hours * HOUR_MS < (int64_t)24 * HOUR_MS * 365)
		return err_set(e, -EINVAL, "the first block would start before 1971");
	return 0;
}

int main(int argc, char **argv)
{
	struct options opt = { 0 };
	struct err e;
	auto_free const char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
	size_t n_rest = 0;
	uint64_t samples = 0;
	int64_t start = clock_monotonic_us();
	int r = flags_parse(&flags, argc, argv, &opt, rest, &n_rest, &e);
	if (r == 0 && opt.help) {
		options_print_help(&flags);
		flags_fini(&flags, &opt);
		return 0;
	}
	if (r == 0 && n_rest != 1)
		r = err_set(&e, -EINVAL, "want one directory; %s", flags.usage);
	if (r == 0)
		r = check_options(&opt, &e);
	int usage = r;
	if (r == 0)
		r = make(&opt, rest[0], &samples, &e);
	if (r < 0) {
		fprintf(stderr, "genbucket: %s\n", e.msg);
	} else {
		double seconds = (double)(clock_monotonic_us() - start) / 1e6;
		printf("%" PRIu64 " samples in %.1f s, %.1f M a second\n", samples, seconds,
			(double)samples / seconds / 1e6);
	}
	flags_fini(&flags, &opt);
	return usage < 0 ? 2 : r < 0;
}
