/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which series a fleet has. A series' key is a hash of seed, cluster and labels; what sets its level (rate,
 * range) comes from its key too.
 */
#include "tests/support/fleet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MINUTE      60000
#define RESTART_MS  (5 * 60 * MINUTE)
#define LONG_MS     (100ll * 24 * 60 * MINUTE)
#define POD_LEAST   70  /* minutes */
#define POD_SPREAD  120 /* minutes */
#define POD_GAP     3   /* minutes */
#define LABELS_TEXT 256

uint64_t fleet_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

double fleet_uniform(uint64_t v)
{
	return (double)(v >> 11) / 9007199254740992.0;
}

uint64_t fleet_key(uint64_t seed, const char *a, const char *b)
{
	uint64_t h = 1469598103934665603u ^ fleet_mix(seed + 0x9e3779b97f4a7c15u);
	for (; *a; a++)
		h = (h ^ (unsigned char)*a) * 1099511628211u;
	h = (h ^ 0xff) * 1099511628211u;
	for (; *b; b++)
		h = (h ^ (unsigned char)*b) * 1099511628211u;
	return fleet_mix(h);
}

/* What all series of one scraped thing have in common. */
struct place {
	const struct fleet_options *options;
	const char *cluster;
	struct fleet *fleet;
	const char *labels; /* "name=value,..." */
	uint64_t target;
	int64_t from, to, restart_ms, restart_at_ms;
};

/* Adds what "a=1,b=2" says. */
static void add_labels(struct labels *l, const char *words)
{
	char copy[LABELS_TEXT], *rest = copy;
	snprintf(copy, sizeof copy, "%s", words);
	for (char *word; (word = strsep(&rest, ","));) {
		char *eq = strchr(word, '=');
		if (!eq)
			continue;
		*eq = 0;
		labels_set(l, word, eq + 1);
	}
}

static struct fleet_series *add(struct place *p, const char *name, const char *labels, enum fleet_kind kind)
{
	char key[2 * LABELS_TEXT];
	snprintf(key, sizeof key, "%s{%s,%s}", name, labels, p->labels);
	struct fleet_series *s = vec_push_slot(&p->fleet->series);
	*s = (struct fleet_series){ .kind = kind,
		.key = fleet_key(p->options->seed, p->cluster, key),
		.target = p->target,
		.from = p->from,
		.to = p->to,
		.share = 1,
		.quantum = 1,
		.restart_ms = p->restart_ms,
		.restart_at_ms = p->restart_at_ms };
	labels_set(&s->labels, "__name__", name);
	add_labels(&s->labels, labels);
	add_labels(&s->labels, p->labels);
	return s;
}

static void constant(struct place *p, const char *name, const char *labels, double value)
{
	add(p, name, labels, FLEET_CONSTANT)->low = value;
}

/* Targets differ: each sees between half and one and a half of the usual rate. */
static void counter(struct place *p, const char *name, const char *labels, double per_minute, double quantum)
{
	struct fleet_series *s = add(p, name, labels, FLEET_COUNTER);
	s->per_minute = per_minute * (0.5 + fleet_uniform(fleet_mix(s->key)));
	s->quantum = quantum;
}

static void gauge(struct place *p, const char *name, const char *labels, double low, double high,
	double quantum, int64_t hold_ms)
{
	struct fleet_series *s = add(p, name, labels, FLEET_GAUGE);
	s->low = low;
	s->high = high;
	s->quantum = quantum;
	s->hold_ms = hold_ms;
}

static void classic_histogram(struct place *p, const char *handler, double per_minute)
{
	static const char *const le[] = { "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5",
		"5", "10", "+Inf" };
	static const double share[] = { .2, .45, .7, .82, .9, .95, .975, .988, .995, .998, .9995, 1 };
	char labels[LABELS_TEXT];
	uint64_t key = fleet_key(p->target, handler, "requests");
	per_minute *= 0.5 + fleet_uniform(fleet_mix(key));
	for (size_t i = 0; i < ARRAY_LEN(le) + 2; i++) {
		bool is_bucket = i < ARRAY_LEN(le), is_sum = i == ARRAY_LEN(le);
		snprintf(labels, sizeof labels, "handler=%s%s%s", handler, is_bucket ? ",le=" : "",
			is_bucket ? le[i] : "");
		struct fleet_series *s = add(p,
			is_bucket ? "http_request_duration_seconds_bucket"
			: is_sum  ? "http_request_duration_seconds_sum"
				  : "http_request_duration_seconds_count",
			labels, FLEET_COUNTER);
		s->key = key; /* one stream of requests fills them all */
		s->per_minute = per_minute;
		s->share = is_bucket ? share[i] : is_sum ? 0.04 : 1;
		s->quantum = is_sum ? 0.0001 : 1;
	}
}

static void native_histogram(struct place *p, const char *name, bool is_float, double per_minute)
{
	if (p->options->histograms)
		add(p, name, "", is_float ? FLEET_FLOAT_HISTOGRAM : FLEET_HISTOGRAM)->per_minute = per_minute;
}

static void up(struct place *p, double samples)
{
	constant(p, "up", "", 1);
	constant(p, "scrape_samples_scraped", "", samples);
	gauge(p, "scrape_duration_seconds", "", 0.008, 0.09, 0.0001, 15000);
}

static void machine_resources(struct place *p)
{
	static const char *const mode[] = { "idle", "user", "system", "iowait", "irq", "softirq", "nice",
		"steal" };
	static const double cpu[] = { 52, 4.8, 1.6, 0.2, 0, 0.12, 0, 0 }; /* seconds a minute */
	static const char *const memory[] = { "MemFree", "MemAvailable", "Buffers", "Cached", "Active",
		"Inactive", "Active_anon", "Inactive_anon", "Active_file", "Inactive_file", "Dirty",
		"AnonPages", "Mapped", "Shmem", "Slab", "SReclaimable", "PageTables" };
	char name[80], labels[80];
	for (int c = 0; c < 4; c++)
		for (size_t m = 0; m < ARRAY_LEN(mode); m++) {
			snprintf(labels, sizeof labels, "cpu=%d,mode=%s", c, mode[m]);
			if (cpu[m] > 0)
				counter(p, "node_cpu_seconds_total", labels, cpu[m], 0.01);
			else
				constant(p, "node_cpu_seconds_total", labels, 0);
		}
	constant(p, "node_memory_MemTotal_bytes", "", 16777216000);
	constant(p, "node_memory_SwapCached_bytes", "", 0);
	constant(p, "node_memory_Writeback_bytes", "", 0);
	for (size_t m = 0; m < ARRAY_LEN(memory); m++) {
		snprintf(name, sizeof name, "node_memory_%s_bytes", memory[m]);
		gauge(p, name, "", 1e8, 8e9, 4096, m % 3 ? 60000 : 15000);
	}
	gauge(p, "node_load1", "", 0.05, 9, 0.01, 15000);
	gauge(p, "node_load5", "", 0.2, 7, 0.01, 30000);
	gauge(p, "node_load15", "", 0.4, 6, 0.01, 60000);
	gauge(p, "node_nf_conntrack_entries", "", 100, 40000, 1, 15000);
}

static void machine_devices(struct place *p)
{
	static const char *const mount[] = { "/", "/boot", "/data", "/var" };
	static const struct {
		const char *name;
		double per_minute;
	} net[] = { { "receive_bytes", 1.2e8 }, { "transmit_bytes", 7.6e7 }, { "receive_packets", 164000 },
		{ "transmit_packets", 132000 }, { "receive_errs", 0 }, { "transmit_drop", 0.05 } },
	  disk[] = { { "read_bytes", 8e5 }, { "written_bytes", 3.2e7 }, { "reads_completed", 80 },
		  { "io_time_seconds", 3.6 } };
	char name[80], labels[120];
	for (int f = 0; f < 4; f++) {
		snprintf(labels, sizeof labels, "device=/dev/sda%d,fstype=ext4,mountpoint=%s", f + 1,
			mount[f]);
		constant(p, "node_filesystem_size_bytes", labels, 1e11 * (f + 1));
		gauge(p, "node_filesystem_avail_bytes", labels, 1e10, 9e10, 4096, 60000);
		constant(p, "node_filesystem_files", labels, 6553600);
		gauge(p, "node_filesystem_files_free", labels, 1e6, 6e6, 1, 300000);
	}
	for (int d = 0; d < 2; d++) {
		for (size_t k = 0; k < ARRAY_LEN(net); k++) {
			snprintf(name, sizeof name, "node_network_%s_total", net[k].name);
			snprintf(labels, sizeof labels, "device=eth%d", d);
			counter(p, name, labels, net[k].per_minute, 1);
		}
		for (size_t k = 0; k < ARRAY_LEN(disk); k++) {
			snprintf(name, sizeof name, "node_disk_%s_total", disk[k].name);
			snprintf(labels, sizeof labels, "device=sd%c", 'a' + d);
			counter(p, name, labels, disk[k].per_minute, k == 3 ? 0.01 : 1);
		}
	}
}

static void machine(struct place *p, unsigned n)
{
	char instance[64], info[120], labels[LABELS_TEXT];
	snprintf(instance, sizeof instance, "node-%03u:9100", n);
	snprintf(labels, sizeof labels, "instance=%s,job=node", instance);
	snprintf(info, sizeof info, "nodename=node-%03u,release=6.1.0-18-amd64,sysname=Linux", n);
	p->labels = labels;
	p->target = fleet_key(p->options->seed, p->cluster, instance);
	p->from = 0;
	p->to = INT64_MAX;
	p->restart_ms = n % 5 == 3 ? RESTART_MS : LONG_MS;
	p->restart_at_ms = (int64_t)(fleet_uniform(fleet_mix(p->target)) * (double)p->restart_ms);
	up(p, 125);
	constant(p, "node_uname_info", info, 1);
	add(p, "node_boot_time_seconds", "", FLEET_START_TIME);
	machine_resources(p);
	machine_devices(p);
	classic_histogram(p, "/api/v1/query", 1600);
	native_histogram(p, "rpc_latency_seconds", true, 300);
}

static void pod_series(struct place *p, const char *pod, const char *namespace, unsigned node)
{
	static const char *const code[] = { "200", "404", "500" };
	static const double requests[] = { 900, 20, 0.7 };
	char labels[LABELS_TEXT];
	up(p, 45);
	add(p, "process_start_time_seconds", "", FLEET_START_TIME);
	gauge(p, "go_goroutines", "", 40, 900, 1, 15000);
	gauge(p, "process_resident_memory_bytes", "", 3e7, 6e8, 4096, 30000);
	counter(p, "process_cpu_seconds_total", "", 6, 0.01);
	for (size_t c = 0; c < ARRAY_LEN(code); c++) {
		snprintf(labels, sizeof labels, "code=%s,method=GET", code[c]);
		counter(p, "http_requests_total", labels, requests[c], 1);
	}
	classic_histogram(p, "/checkout", 600);
	classic_histogram(p, "/cart", 240);
	native_histogram(p, "http_request_latency_seconds", false, 800);

	p->labels = "instance=kube-state-metrics:8080,job=kube-state-metrics";
	p->target = fleet_key(p->options->seed, p->cluster, "kube-state-metrics:8080");
	snprintf(labels, sizeof labels, "namespace=%s,node=node-%03u,pod=%s", namespace, node, pod);
	constant(p, "kube_pod_info", labels, 1);
	snprintf(labels, sizeof labels, "namespace=%s,phase=Running,pod=%s", namespace, pod);
	constant(p, "kube_pod_status_phase", labels, 1);
}

/* The pods that take place number n, one after the other. */
static void pods(struct place *p, unsigned n, int64_t from, int64_t to)
{
	static const char *const app[] = { "checkout", "cart", "search", "payment" };
	char slot[64], pod[96], labels[LABELS_TEXT];
	snprintf(slot, sizeof slot, "pod/%u", n);
	uint64_t key = fleet_key(p->options->seed, p->cluster, slot);
	int64_t life = (POD_LEAST + (int64_t)(key % POD_SPREAD)) * MINUTE;
	int64_t offset = (int64_t)(fleet_mix(key) % (uint64_t)life);
	for (int64_t g = (from - offset) / life; offset + g * life < to; g++) {
		uint64_t own = fleet_mix(key + (uint64_t)g * 0x9e3779b97f4a7c15u);
		int64_t born = offset + g * life;
		int64_t dies = born + life - (int64_t)(fleet_mix(own) % (POD_GAP * MINUTE));
		if (dies <= from)
			continue;
		const char *namespace = n % 3 ? "shop" : "platform";
		snprintf(pod, sizeof pod, "%s-%08x-%05x", app[n % 4], (unsigned)(key >> 32),
			(unsigned)(own >> 44));
		snprintf(labels, sizeof labels, "instance=10.%u.%u.%u:8080,job=app,namespace=%s,pod=%s",
			(unsigned)(own & 63), (unsigned)(own >> 8 & 255), (unsigned)(own >> 16 & 255),
			namespace, pod);
		p->labels = labels;
		p->target = own;
		p->from = born;
		p->to = dies;
		p->restart_ms = 0;
		pod_series(p, pod, namespace, n % p->options->instances);
	}
}

void fleet_at(const struct fleet_options *o, const char *cluster, int64_t from, int64_t to, struct fleet *out)
{
	struct place p = { .options = o, .cluster = cluster, .fleet = out };
	for (unsigned n = 0; n < o->instances; n++)
		machine(&p, n);
	for (unsigned n = 0; n < 2 * o->instances; n++)
		pods(&p, n, from, to);
	p.labels = "instance=kube-state-metrics:8080,job=kube-state-metrics";
	p.target = fleet_key(o->seed, cluster, "kube-state-metrics:8080");
	p.from = 0;
	p.to = INT64_MAX;
	p.restart_ms = LONG_MS;
	up(&p, 4.0 * o->instances);
}

void fleet_fini(struct fleet *f)
{
	vec_each (s, &f->series)
		labels_fini(&s->labels);
	vec_fini(&f->series);
}
