/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that serves a mount: bucket, catalogue and view are built from the flags, synced once or restored from what the
 * process before has left, mounted, and synced again and again until the mount ends.
 */
#include "cmd/mount_worker.h"

#include "cmd/background.h"
#include "dedup/view.h"
#include "fs/mount.h"
#include "fs/worker.h"
#include "lib/base/clock.h"
#include "lib/base/complaint.h"
#include "lib/base/deadline.h"
#include "lib/base/file.h"
#include "lib/base/notify.h"
#include "lib/net/http_metrics.h"
#include "lib/net/http_server.h"
#include "store/bucket_extents.h"
#include "store/catalogue.h"
#include "store/config.h"
#include "store/relabel.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define STATUS_FAILED     1
#define RELABEL_MAX_BYTES (1u << 20)
#define NEWS_CHECK_MS     5000 /* how often to look whether slots are to be laid out anew */
#define NEWS_SETTLE_MS    60000
#define EXTEND_START_US   60000000 /* the service manager waits this much longer, told anew every so often */
#define EXTEND_EVERY_MS   20000
#define START_RETRY_MS    2000
#define SYNC_DEADLINE_MS  60000 /* nobody waits for a sync, unlike for a read */

/* Everything a running mount has. */
struct mount {
	const struct mount_flags *flags;
	char *mountpoint;      /* absolute */
	struct worker *worker; /* NULL: this process does it all */
	int ready_fd;
	struct objstore_config *config;
	struct relabel_configs *selector;
	struct bucket *bucket;
	struct extents *extents; /* what was read of segments; NULL where the bucket is local */
	struct bucket *chunks;   /* the bucket through them; or the same as `bucket` */
	struct catalogue *catalogue;
	struct view *view;
	struct fs *fs;
	struct http_server *http;
	atomic_bool stopping; /* ends pauses of the bucket's retries */
	atomic_bool ready;
	bool was_restored;

	pthread_t syncer, signals;
	bool has_syncer, has_signals;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under lock */
	bool is_ending;
};

static void init(struct mount *m)
{
	pthread_condattr_t attr;
	*m = (struct mount){ .ready_fd = -1 };
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void fini(struct mount *m)
{
	http_server_close(m->http);
	fs_mount_free(m->fs);
	view_close(m->view);
	catalogue_close(m->catalogue);
	if (m->chunks != m->bucket)
		bucket_free(m->chunks);
	extents_close(m->extents);
	bucket_free(m->bucket);
	relabel_free(m->selector);
	objstore_config_free(m->config);
	worker_free(m->worker);
	free(m->mountpoint);
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
}

/* Waits; true: it is time to end. */
static bool pause_ms(struct mount *m, int64_t ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&m->lock);
	while (!m->is_ending && pthread_cond_timedwait(&m->changed, &m->lock, &until) != ETIMEDOUT)
		;
	bool ending = m->is_ending;
	pthread_mutex_unlock(&m->lock);
	return ending;
}

static void end(struct mount *m)
{
	atomic_store(&m->stopping, true);
	pthread_mutex_lock(&m->lock);
	m->is_ending = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
}

/* Prometheus keeps every file of every block open, and so must we. */
void mount_raise_descriptor_limit(void)
{
	struct rlimit limit;
	static const rlim_t wanted = 1 << 20;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	struct rlimit more = { .rlim_cur = wanted, .rlim_max = MAX_OF(wanted, limit.rlim_max) };
	if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int load_selector(struct mount *m, struct err *e)
{
	const struct mount_flags *f = m->flags;
	if (f->selector_config)
		return relabel_parse("--selector.relabel-config", f->selector_config,
			strlen(f->selector_config), &m->selector, e);
	if (!f->selector_config_file)
		return 0;
	auto_buf struct buf text = { 0 };
	int r = file_read(f->selector_config_file, RELABEL_MAX_BYTES, &text, e);
	return r < 0 ? r : relabel_parse(f->selector_config_file, buf_str(&text), text.len, &m->selector, e);
}

static int check_bucket_path(const struct mount *m, struct err *e)
{
	if (m->config->type != OBJSTORE_FILESYSTEM)
		return 0;
	auto_free char *path = realpath(m->config->filesystem.directory, NULL);
	if (path && mount_path_is_below(path, m->mountpoint))
		return err_set(e, -EINVAL, "the bucket's directory %s lies below the mount point", path);
	return 0;
}

/* What needs neither the data directory nor the bucket to answer. */
static int prepare(struct mount *m, struct err *e)
{
	const struct mount_flags *f = m->flags;
	struct objstore_layers layers = { .retry = RETRY_DEFAULTS };
	struct faults_options faults = { .plan = f->faults, .stop = &m->stopping };
	layers.retry.deadline_ms = f->read_deadline_ms;
	layers.retry.stop = &m->stopping;
	if (f->debug_faults)
		layers.faults = &faults;
	int r = f->objstore_config ? objstore_config_parse("--objstore.config", f->objstore_config,
					     strlen(f->objstore_config), &m->config, e)
				   : objstore_config_load(f->objstore_config_file, &m->config, e);
	if (r == 0)
		r = load_selector(m, e);
	return r < 0 ? r : objstore_bucket_new(m->config, &layers, &m->bucket, e);
}

/* Segments of a bucket that is far away are read through a cache; indexes are read once, past it. */
static void open_extents(struct mount *m)
{
	m->chunks = m->bucket;
	if (!m->bucket->flat_listing)
		return;
	auto_free char *dir = xasprintf("%s/extents", m->flags->data_dir);
	struct extents_options o = EXTENTS_DEFAULTS;
	o.dir = dir;
	o.max_bytes = m->flags->cache_max_bytes;
	struct err e;
	if (extents_open(&o, &m->extents, &e) == 0)
		m->chunks = bucket_extents_beside(m->bucket, m->extents);
	else
		log_warn("the cache can't be used, segments are read from the bucket each time",
			KV("err", e.msg));
}

/*
 * The cache's size is shared: made slots take what they need, but for a quarter, as what they were made of is needed only
 * once more, when they are gone.
 */
static uint64_t made_limit(void *arg, uint64_t made_bytes)
{
	const struct mount *m = arg;
	uint64_t most = m->flags->cache_max_bytes;
	if (!m->extents)
		return most;
	uint64_t for_extents = MAX_OF(most / 4, most - MIN_OF(made_bytes, most));
	extents_set_max(m->extents, for_extents);
	return most - MIN_OF(extents_bytes(m->extents), for_extents);
}

static int build(struct mount *m, struct err *e)
{
	const struct mount_flags *f = m->flags;
	int64_t now = clock_unix_ms();
	int r;
	struct catalogue_options options = {
		.min_time_ms = time_or_duration_at(&f->min_time, now),
		.max_time_ms = time_or_duration_at(&f->max_time, now),
		.selector = m->selector,
		.replica_labels = (const char *const *)f->replica_labels.data,
		.n_replica_labels = f->replica_labels.len,
		.ignore_deletion_marks_delay_ms = f->ignore_deletion_marks_delay_ms,
		.consistency_delay_ms = f->consistency_delay_ms,
	};
	auto_free char *catalogue_dir = xasprintf("%s/catalogue", f->data_dir);
	r = catalogue_open(catalogue_dir, m->bucket, &options, &m->catalogue, e);
	if (r < 0)
		return r;
	open_extents(m);
	struct view_options view = {
		.dir = f->data_dir,
		.chunks = m->chunks,
		.made_limit = made_limit,
		.made_limit_arg = m,
		.dedup = { f->dedup_func, (const char *const *)f->replica_labels.data,
			f->replica_labels.len },
		.cache_max_bytes = f->cache_max_bytes,
		.settle_ms = NEWS_SETTLE_MS,
		.read_deadline_ms = f->read_deadline_ms,
		.sync_deadline_ms = SYNC_DEADLINE_MS,
	};
	return view_open(&view, m->bucket, m->catalogue, &m->view, e);
}

/* A sync as of now: limits that are relative move with the time. */
static int sync_now(struct mount *m, struct err *e)
{
	int64_t now = clock_unix_ms();
	catalogue_set_time_range(m->catalogue, time_or_duration_at(&m->flags->min_time, now),
		time_or_duration_at(&m->flags->max_time, now));
	return view_sync(m->view, now, e);
}

/* The first sync: retried until the bucket answers, for start.timeout. */
static int first_sync(struct mount *m, struct err *e)
{
	static struct complaint unreachable = COMPLAINT_INIT;
	int64_t until = clock_monotonic_us() + m->flags->start_timeout_ms * 1000;
	for (;;) {
		int64_t each_ms = MIN_OF((until - clock_monotonic_us()) / 1000, SYNC_DEADLINE_MS);
		struct deadline before = deadline_enter((struct deadline){ .each_ms = MAX_OF(each_ms, 1) });
		int r = sync_now(m, e);
		deadline_leave(before);
		if (r == 0)
			return 0;
		int64_t left_ms = (until - clock_monotonic_us()) / 1000;
		if (left_ms <= 0 && m->flags->allow_empty) {
			log_warn("bucket can't be reached, mounting without its blocks", KV("err", e->msg));
			return 0;
		}
		if (left_ms <= 0)
			return err_wrap(e, r, "the bucket could not be reached in --start.timeout");
		complain(&unreachable, LOG_LEVEL_WARN, "bucket can't be reached, trying again", -r,
			KV("bucket", m->bucket->name), KV("err", e->msg), KV_I64("left_ms", left_ms));
		if (pause_ms(m, MIN_OF(left_ms, START_RETRY_MS)))
			return err_set(e, -EINTR, "stopped before the mount was ready");
	}
}

static void *sync_again_and_again(void *arg)
{
	struct mount *m = arg;
	static struct complaint failing = COMPLAINT_INIT;
	int64_t next = clock_monotonic_us() + (m->was_restored ? 0 : m->flags->sync_interval_ms * 1000);
	for (;;) {
		int64_t left_ms = MAX_OF((next - clock_monotonic_us()) / 1000, 1);
		if (pause_ms(m, MIN_OF(left_ms, NEWS_CHECK_MS)))
			return NULL;
		if (clock_monotonic_us() < next && !view_has_news(m->view))
			continue;
		struct err e;
		int r = sync_now(m, &e);
		if (r < 0)
			complain(&failing, LOG_LEVEL_ERROR, "sync failed, what is published stays", -r,
				KV("bucket", m->bucket->name), KV("err", e.msg));
		else
			complaint_ends(&failing, 0, "syncs succeed again", KV("bucket", m->bucket->name));
		next = clock_monotonic_us() + m->flags->sync_interval_ms * 1000;
	}
}

/* SIGTERM and SIGINT end the mount; until it is ready, also keeps the service manager patient. */
static void *wait_for_signals(void *arg)
{
	struct mount *m = arg;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2); /* ours: the mount ended by itself */
	for (;;) {
		struct timespec patience = { .tv_sec = EXTEND_EVERY_MS / 1000 };
		int sig = sigtimedwait(&set, NULL, &patience);
		if (sig < 0) {
			if (!atomic_load(&m->ready))
				notify_extend_timeout(EXTEND_START_US, NULL);
			continue;
		}
		if (sig != SIGUSR2) {
			log_info("stopping", KV("signal", strsignal(sig)));
			notify_stopping(NULL);
		}
		end(m);
		pthread_mutex_lock(&m->lock);
		struct fs *fs = m->fs;
		pthread_mutex_unlock(&m->lock);
		if (sig != SIGUSR2 && fs)
			fs_mount_stop(fs);
		return NULL;
	}
}

static void render_config(void *arg, struct buf *out)
{
	objstore_config_render(((struct mount *)arg)->config, out);
}

static void answer_healthy(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)arg, (void)q;
	buf_add_str(&out->body, "OK\n");
}

static void answer_ready(void *arg, const struct http_request *q, struct http_response *out)
{
	(void)q;
	bool ready = atomic_load(&((struct mount *)arg)->ready);
	out->status = ready ? 200 : 503;
	buf_add_str(&out->body, ready ? "OK\n" : "not ready: the first sync with the bucket is under way\n");
}

static int start_http(struct mount *m, struct err *e)
{
	static const struct http_route routes[] = { { "/metrics", .answer = http_metrics_answer },
		{ "/-/healthy", .answer = answer_healthy }, { "/-/ready", .answer = answer_ready }, { 0 } };
	if (!m->flags->http_address)
		return 0;
	struct http_server_options options = {
		.address = m->flags->http_address, .routes = routes, .arg = m, .grace_ms = 1000
	};
	int r = http_server_open(&options, &m->http, e);
	if (r == 0)
		log_info("listening for HTTP", KV("address", m->flags->http_address),
			KV_U64("port", http_server_port(m->http)));
	return r;
}

static int start_fs(struct mount *m, struct err *e)
{
	const struct fs_control_file control[] = {
		{ "config.yaml", render_config, m },
	};
	auto_free char *upper = xasprintf("%s/upper", m->flags->data_dir);
	auto_free char *state = xasprintf("%s/mount", m->flags->data_dir);
	auto_free char *options = mount_fuse_options(m->flags);
	struct fs_options o = { .worker = m->worker,
		.mountpoint = m->mountpoint,
		.fuse_options = *options ? options : NULL,
		.upper_dir = upper,
		.state_dir = state,
		.no_passthrough = m->flags->no_passthrough,
		.view = m->view,
		.bucket = m->chunks,
		.control = control,
		.n_control = ARRAY_LEN(control) };
	struct fs *fs;
	int r = fs_mount_start(&o, &fs, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&m->lock);
	m->fs = fs;
	bool ending = m->is_ending;
	pthread_mutex_unlock(&m->lock);
	if (ending) /* a signal came between */
		fs_mount_stop(fs);
	return 0;
}

static int start_thread(pthread_t *t, void *(*fn)(void *), struct mount *m, bool *flag, struct err *e)
{
	int r = pthread_create(t, NULL, fn, m);
	*flag = r == 0;
	return r ? err_errno(e, -r, "starting a thread") : 0;
}

/* What is to be listed at first. */
static int first_look(struct mount *m, struct err *e)
{
	if (m->worker && worker_takes_over(m->worker)) {
		struct err why;
		int r = view_restore(m->view, &why);
		m->was_restored = r == 0;
		if (r == 0)
			return 0;
		log_warn("what was listed before can't be restored, looking at the bucket",
			KV("err", why.msg));
	}
	return first_sync(m, e);
}

static void say_ready(struct mount *m)
{
	atomic_store(&m->ready, true);
	if (m->worker)
		return; /* the supervisor says so */
	log_info("mounted", KV("mountpoint", m->mountpoint), KV("bucket", m->bucket->name));
	notify_ready(NULL);
	background_ready(m->ready_fd);
}

/* From built to unmounted. */
static int serve(struct mount *m, struct err *e)
{
	int r = 0;
	if (!m->worker)
		r = start_thread(&m->signals, wait_for_signals, m, &m->has_signals, e);
	if (r == 0)
		r = start_http(m, e);
	if (r == 0)
		r = first_look(m, e);
	if (r == 0)
		r = start_fs(m, e);
	if (r == 0)
		r = start_thread(&m->syncer, sync_again_and_again, m, &m->has_syncer, e);
	if (r == 0)
		say_ready(m);
	if (m->fs) {
		if (r < 0)
			fs_mount_stop(m->fs);
		fs_mount_wait(m->fs);
		if (!m->worker)
			log_info("unmounted", KV("mountpoint", m->mountpoint));
	}
	end(m);
	if (m->has_signals) {
		pthread_kill(m->signals, SIGUSR2);
		pthread_join(m->signals, NULL);
	}
	if (m->has_syncer)
		pthread_join(m->syncer, NULL);
	return r;
}

static int run(struct mount *m, struct err *e)
{
	bool is_worker = worker_is_wanted();
	int r = prepare(m, e);
	if (is_worker && r == 0) {
		r = worker_attach(&m->worker, e);
		if (r == 0)
			m->mountpoint = xstrdup(worker_mountpoint(m->worker));
	}
	/* Its predecessor has looked, and to look again might mean to ask itself. */
	if (r == 0 && !(m->worker && worker_takes_over(m->worker)))
		r = check_bucket_path(m, e);
	if (r == 0)
		r = build(m, e);
	if (r == 0 && m->flags->is_daemon && chdir("/") < 0)
		r = err_errno(e, -errno, "leaving the working directory");
	return r < 0 ? r : serve(m, e);
}

int mount_worker_run(const struct mount_flags *flags, const char *mountpoint, int ready_fd)
{
	struct err e = { .msg = "" };
	struct mount m;
	init(&m);
	m.flags = flags;
	m.ready_fd = ready_fd;
	m.mountpoint = mountpoint ? xstrdup(mountpoint) : NULL;
	signal(SIGPIPE, SIG_IGN);
	mount_raise_descriptor_limit();
	int r = run(&m, &e);
	if (r < 0) {
		log_error("mount failed", KV("err", e.msg));
		if (m.worker)
			worker_say(m.worker, e.msg);
	}
	fini(&m);
	return r < 0 ? STATUS_FAILED : 0;
}
