/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A track is what is known of one run that was touched. Tracks are kept in a small table, four to a place; the one that
 * was used least recently goes. A track that is lost costs a round trip, nothing else.
 */
#include "dedup/scan_policy.h"

#define SETS       128
#define WAYS       4
#define TAILS      256
#define GAIN_US    (2 * 1000000ll) /* a scan that nobody went on with for so long is over */
#define NEAR_BYTES (1u << 20)      /* a touch this little past what was announced goes on with it */
#define JUMPS_MAX  2               /* touches far from each other, before they count as a scan */

struct track {
	uint64_t block, metric, group;
	uint32_t segment;
	uint64_t run_from, run_to;
	uint64_t from, to; /* announced */
	uint64_t start;    /* the touch that this began with */
	uint64_t read_to;  /* where the furthest read ended; 0: too short a read to tell the next ones from */
	uint64_t window,
		used;       /* of a scan: the last window, and bytes that were read since it was announced */
	unsigned hop, span; /* a wave's that brought it; 0: none */
	int side;           /* where it goes on */
	unsigned jumps;
	bool is_scanned, is_touched;
	int64_t used_us; /* 0: free */
};

/* Where the last read of a file ended. */
struct tail {
	uint64_t key, end;
};

struct scan_policy {
	struct track tracks[SETS][WAYS];
	struct tail tails[TAILS];
};

struct scan_policy *scan_policy_new(void)
{
	return xcalloc(1, sizeof(struct scan_policy));
}

void scan_policy_free(struct scan_policy *p)
{
	free(p);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = (a ^ b * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
	return x ^ x >> 29;
}

static struct track *set_of(struct scan_policy *p, const struct scan_run *run)
{
	return p->tracks[mix(mix(run->block, run->segment), run->from) % SETS];
}

static bool is_recent(const struct track *t, int64_t now_us)
{
	return t->used_us && now_us - t->used_us < SCAN_FORGET_US;
}

static struct track *find(struct scan_policy *p, const struct scan_run *run, int64_t now_us)
{
	struct track *set = set_of(p, run);
	for (unsigned i = 0; i < WAYS; i++)
		if (is_recent(&set[i], now_us) && set[i].block == run->block &&
			set[i].segment == run->segment && set[i].run_from == run->from)
			return &set[i];
	return NULL;
}

static struct track *add(struct scan_policy *p, const struct scan_run *run, int64_t now_us)
{
	struct track *set = set_of(p, run), *t = &set[0];
	for (unsigned i = 1; i < WAYS; i++)
		if (set[i].used_us < t->used_us)
			t = &set[i];
	*t = (struct track){ .block = run->block,
		.metric = run->metric,
		.group = run->group,
		.segment = run->segment,
		.run_from = run->from,
		.run_to = run->to,
		.used_us = now_us };
	return t;
}

/* Whether the read goes on where the last one of its file ended, and starts where that one did not reach. */
static bool is_straight(struct scan_policy *p, const struct scan_run *run, uint64_t at, uint64_t n)
{
	uint64_t key = mix(run->block, run->segment) | 1;
	struct tail *tail = &p->tails[key % TAILS];
	bool is = tail->key == key && tail->end == at;
	*tail = (struct tail){ key, at + n };
	return is;
}

static void advise(struct scan_advices *out, const struct track *t, uint64_t from, uint64_t to, bool is_scan)
{
	if (from < to)
		vec_push(out, (struct scan_advice){ t->block, t->segment, from, to, is_scan });
}

/* A read ends here. The kernel's full ones of a mapping follow each other without a gap or an overlap. */
static void note_read(struct track *t, uint64_t at, uint64_t n)
{
	if (n > SCAN_PAD_BYTES && n <= SCAN_READ_BYTES)
		t->read_to = MAX_OF(t->read_to, at + n);
}

/*
 * Where the reads for this run end. A fault on its last page reads that page's neighbourhood. Who went through it has the
 * kernel read ahead by one read, too, which starts when the last one of the run is touched.
 */
static uint64_t padded_end(const struct track *t)
{
	uint64_t end = t->run_to + SCAN_PAD_BYTES;
	if (!t->read_to || t->read_to >= t->run_to)
		return MAX_OF(end, t->read_to);
	uint64_t reads = (t->run_to - t->read_to + SCAN_READ_BYTES - 1) / SCAN_READ_BYTES;
	return t->read_to + (reads + 1) * SCAN_READ_BYTES;
}

/* The rest of the run from t->to on, as much as one window takes; returns its bytes. */
static uint64_t next_window(struct track *t, uint64_t window, struct scan_advices *out)
{
	uint64_t from = t->to, end = padded_end(t);
	if (from >= end)
		return 0;
	t->window = MIN_OF(window, SCAN_WINDOW_MAX);
	t->used = 0;
	t->is_scanned = true;
	t->to = end - from <= t->window + t->window / 4 ? end : from + t->window; /* no small rest */
	advise(out, t, from, t->to, true);
	return t->to - from;
}

bool scan_policy_is_scanned(const struct scan_policy *p, uint64_t metric, int64_t now_us)
{
	for (unsigned i = 0; i < SETS * WAYS; i++) {
		const struct track *t = &p->tracks[0][0] + i;
		if (t->metric == metric && t->is_scanned && t->used_us && now_us - t->used_us < GAIN_US)
			return true;
	}
	return false;
}

/*
 * The run that is scanned in one block is scanned in all where it was touched: Prometheus reads the first chunk in every
 * block of a query before the second one in any. A wave that went on past the query's blocks is not followed by megabytes.
 */
static void scan_others(struct scan_policy *p, const struct track *first, uint64_t left, int64_t now_us,
	struct scan_advices *out)
{
	for (unsigned i = 0; i < SETS * WAYS && left; i++) {
		struct track *t = &p->tracks[0][0] + i;
		if (t == first || t->metric != first->metric || t->group != first->group || t->is_scanned ||
			!t->is_touched || !is_recent(t, now_us))
			continue;
		left -= MIN_OF(left, next_window(t, SCAN_WINDOW_BYTES, out));
	}
}

static double place_in(const struct scan_run *run, uint64_t point)
{
	if (point <= run->from || run->to <= run->from)
		return 0;
	return MIN_OF((double)(point - run->from) / (double)(run->to - run->from), 1);
}

static struct scan_wave first_wave(const struct scan_run *run, uint64_t point)
{
	return (struct scan_wave){ .last = SCAN_FIRST_BLOCKS,
		.others = SCAN_FIRST_BLOCKS,
		.side = -1,
		.place = place_in(run, point) };
}

/* Announces a little at `at`, where the reader is; what lies before that it fetches itself. */
static void start_at(struct track *t, uint64_t at, uint64_t n, struct scan_advices *out)
{
	t->is_touched = true;
	t->start = scan_point(at, n);
	t->from = at;
	t->to = MAX_OF(at + n, MIN_OF(at + SCAN_FIRST_BYTES, padded_end(t)));
	advise(out, t, t->from, t->to, false);
}

static void first_touch(struct scan_policy *p, const struct scan_run *run, uint64_t point, uint64_t at,
	uint64_t n, bool straight, int64_t now_us, struct scan_advices *out, struct scan_wave *wave)
{
	bool is_scan = !straight && scan_policy_is_scanned(p, run->metric, now_us);
	struct track *t = add(p, run, now_us);
	t->is_touched = true;
	t->start = point;
	t->from = at;
	t->to = at + n;
	note_read(t, at, n);
	if (straight)
		return;
	if (is_scan) {
		t->to = at;
		next_window(t, SCAN_WINDOW_BYTES, out);
	} else {
		start_at(t, at, n, out);
	}
	t->span = SCAN_FIRST_BLOCKS;
	*wave = first_wave(run, point);
	wave->is_scan = is_scan;
}

/* A wave's last block is touched: twice as many are next. */
static void go_on(struct track *t, const struct scan_run *run, uint64_t point, struct scan_wave *wave)
{
	if (!t->hop || t->hop < t->span)
		return;
	t->hop = 0;
	t->span = MIN_OF(2 * t->span, SCAN_MAX_BLOCKS);
	*wave = (struct scan_wave){
		.last = t->span, .side = t->side, .place = place_in(run, point), .is_scan = t->is_scanned
	};
}

/* Inside of what was announced. Who comes late to a scan of other blocks goes on with it here. */
static void go_along(struct track *t, const struct scan_run *run, uint64_t point, bool is_metric_scanned,
	struct scan_advices *out, struct scan_wave *wave)
{
	bool is_late = !t->is_touched && !t->is_scanned && is_metric_scanned;
	t->is_touched = true;
	if (is_late)
		next_window(t, SCAN_WINDOW_BYTES, out);
	go_on(t, run, point, wave);
	if (is_late || !t->is_scanned || t->to >= padded_end(t) || point + t->window / 2 < t->to)
		return;
	/* Where little of a window was read, a larger one would be waste. */
	bool is_dense = t->used >= t->window / 8;
	next_window(t, is_dense ? 2 * t->window : MAX_OF(t->window / 2, SCAN_FIRST_BYTES), out);
}

void scan_policy_touch(struct scan_policy *p, const struct scan_run *run, uint64_t at, uint64_t n,
	int64_t now_us, struct scan_advices *out, struct scan_wave *wave)
{
	uint64_t point = scan_point(at, n);
	bool straight = is_straight(p, run, at, n);
	struct track *t = find(p, run, now_us);
	*wave = (struct scan_wave){ 0 };
	if (!t) {
		first_touch(p, run, point, at, n, straight, now_us, out, wave);
		return;
	}
	t->used_us = now_us;
	t->used += n;
	note_read(t, at, n);
	/* What ends behind the announced range waits for the rest of it anyway: that it comes is known now, not at its end. */
	bool is_past = at + n > t->to && t->to < padded_end(t) && t->is_touched;
	bool is_near = point >= t->from && is_past && point <= t->to + NEAR_BYTES;
	if (point >= t->from && point < t->to && !is_past) {
		bool is_metric_scanned = !t->is_touched && scan_policy_is_scanned(p, run->metric, now_us);
		go_along(t, run, point, is_metric_scanned, out, wave);
	} else if (!t->is_touched) { /* the wave missed the place */
		start_at(t, at, n, out);
		go_on(t, run, point, wave);
	} else if (is_near && !t->is_scanned && point - t->start < 2 * run->series_bytes) {
		uint64_t from = t->to;
		t->to = MIN_OF(from + MAX_OF(run->series_bytes, SCAN_FIRST_BYTES), padded_end(t));
		advise(out, t, from, t->to, false);
	} else if (is_near || t->jumps >= JUMPS_MAX) {
		if (!is_near)
			t->from = t->to = at;
		uint64_t bytes = next_window(t, SCAN_WINDOW_BYTES, out);
		scan_others(p, t, SCAN_AT_ONCE - MIN_OF(bytes, SCAN_AT_ONCE), now_us, out);
	} else {
		t->jumps++;
		t->is_scanned = false;
		start_at(t, at, n, out);
		*wave = first_wave(run, point);
	}
}

void scan_policy_match(struct scan_policy *p, const struct scan_run *run, const struct scan_wave *wave,
	unsigned hop, int64_t now_us, struct scan_advices *out)
{
	uint64_t point = run->from + (uint64_t)(wave->place * (double)(run->to - run->from));
	struct track *t = find(p, run, now_us);
	if (t && (t->is_scanned || (point >= t->from && point < t->to)))
		return;
	if (!t)
		t = add(p, run, now_us);
	t->used_us = now_us;
	t->is_touched = false;
	t->hop = hop;
	t->span = wave->last;
	t->side = wave->side;
	t->from = t->to = point - MIN_OF(point, SCAN_PAD_BYTES);
	if (wave->is_scan) {
		next_window(t, SCAN_WINDOW_BYTES, out);
		return;
	}
	t->to = MIN_OF(t->from + SCAN_FIRST_BYTES, padded_end(t));
	advise(out, t, t->from, t->to, false);
}
