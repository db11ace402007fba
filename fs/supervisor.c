/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that polls, and one (invalidate.c) that may wait for the kernel. This one never waits for the mount: a worker's death
 * must be noticed whatever happens there; so another process unmounts.
 */
#include "fs/supervisor_private.h"

#include "fs/fs.h"
#include "fs/mount_point.h"
#include "fs/suspects.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/notify.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS         100
#define EXTEND_START_US 60000000 /* the service manager waits this much longer, told anew every so often */
#define EXTEND_EVERY_US 20000000
#define RETIRE_LIMIT_US 5000000
#define END_LIMIT_US    10000000

static int init(struct supervisor *s, const struct supervisor_options *o, struct err *e)
{
	*s = (struct supervisor){ .options = *o,
		.fuse_fd = -1,
		.helper_fd = -1,
		.signal_fd = -1,
		.listen_fd = -1,
		.client_fd = -1,
		.program_fd = -1,
		.try_fd = -1,
		.state = { .fd = -1 },
		.worker = CHILD_NONE,
		.standby = CHILD_NONE };
	if (!s->options.linger_ms)
		s->options.linger_ms = FS_LINGER_DEFAULT_MS;
	if (!s->options.hang_ms)
		s->options.hang_ms = HANG_DEFAULT_MS;
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (o->passes_sighup)
		sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, &s->child_mask);
	/* What was blocked before is for this process; a worker decides for itself. */
	sigemptyset(&s->child_mask);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return err_errno(e, -errno, "listening to signals");
	if (supervisor_is_resumed())
		return upgrade_resume(s, e);
	int r = shared_state_create(o->mountpoint, &s->state, e);
	if (r == 0)
		s->kept = fd_store_attach(shared_state_region(&s->state, SHARED_REGION_KEPT));
	return r;
}

static void fini(struct supervisor *s)
{
	child_kill(&s->worker);
	child_kill(&s->standby);
	if (s->invalidate)
		invalidate_end_ms(s->invalidate, 1000);
	if (s->fuse_fd >= 0)
		close(s->fuse_fd); /* the connection ends with it, and whatever waits for it goes on */
	invalidate_free(s->invalidate);
	if (s->helper_fd >= 0)
		close(s->helper_fd);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->client_fd >= 0)
		close(s->client_fd);
	if (s->options.extra_fd >= 0)
		close(s->options.extra_fd);
	shared_state_close(&s->state);
}

static void end(struct supervisor *s, int result)
{
	s->has_ended = true;
	s->result = result;
}

/* The first worker has built what is to be seen: now it may be. */
static void mount_now(struct supervisor *s)
{
	const struct supervisor_options *o = &s->options;
	int r = mount_point_open(o->mountpoint, o->fuse_options, &s->fuse_fd, &s->helper_fd, s->err);
	if (r == 0) {
		s->is_mounted = true;
		r = mount_point_negotiate(s->fuse_fd, FS_REQUEST_BYTES, !o->no_passthrough,
			&s->state.head->init, &s->can_resend, s->err);
	}
	if (r < 0) {
		if (s->is_mounted)
			mount_point_unmount(o->mountpoint, true);
		end(s, r);
		return;
	}
	s->invalidate = invalidate_start(s->fuse_fd, shared_state_region(&s->state, SHARED_REGION_OWED));
}

static void send_to(struct child *c, struct link_message m, const int *fds, unsigned n)
{
	/* Where nobody is there any more, SIGCHLD says so too. */
	link_send(c->link, &m, fds, n);
}

static void on_serving(struct supervisor *s, struct child *c)
{
	c->phase = CHILD_SERVING;
	c->serving_us = clock_monotonic_us();
	c->watch = (struct child_watch){ .liveness = atomic_load(&s->state.head->liveness) };
	if (!s->was_ready) {
		s->was_ready = true;
		/* Whoever was started by the service manager may have left us in the background. */
		auto_free char *words = xasprintf("READY=1\nMAINPID=%d", (int)getpid());
		notify_send(words, NULL);
		s->options.ready(s->options.arg);
	} else {
		log_info("worker has taken over", KV_I64("pid", c->pid),
			KV_F64("after_ms", (double)(c->serving_us - s->died_us) / 1000));
	}
}

static void keeper_message(struct supervisor *s, const struct link_message *m, int *fds)
{
	struct link_message answer = { .kind = LINK_ANSWER };
	if (m->kind == LINK_FORGET) {
		fd_store_drop(s->kept, m->node);
		return;
	}
	int answer_to = m->kind == LINK_KEEP ? fds[1] : fds[0];
	int kept = -1;
	if (m->kind == LINK_FETCH) {
		kept = fd_store_get(s->kept, m->node);
		answer.bytes = kept < 0 ? (uint64_t)kept : 0;
	} else {
		answer.bytes =
			fds[0] < 0 ? (uint64_t)-EBADF : (uint64_t)fd_store_put(s->kept, m->node, fds[0]);
		fds[0] = -1;
	}
	if (answer_to >= 0)
		link_send(answer_to, &answer, &kept, kept >= 0);
}

static void on_message(struct supervisor *s, struct child *c, const struct link_message *m, int *fds)
{
	switch (m->kind) {
	case LINK_BUILT:
		if (s->is_mounted)
			break; /* it has what it asks for: see start_worker */
		mount_now(s);
		if (!s->has_ended)
			send_to(c, (struct link_message){ .kind = LINK_SERVE }, &s->fuse_fd, 1);
		break;
	case LINK_READY:
		if (c == &s->standby)
			upgrade_standby_ready(s);
		break;
	case LINK_SERVING:
		on_serving(s, c);
		upgrade_serving(s);
		break;
	case LINK_DROP_PAGES:
	case LINK_DROP_NAME:
	case LINK_DROP_NODE:
		if (s->invalidate)
			invalidate_message(s->invalidate, m);
		break;
	case LINK_KEEP:
	case LINK_FETCH:
	case LINK_FORGET: keeper_message(s, m, fds); break;
	default: break;
	}
	for (unsigned i = 0; i < LINK_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* All that it has said, also if it is dead. */
static void hear(struct supervisor *s, struct child *c)
{
	struct link_message m;
	int fds[LINK_FDS];
	int r = 1;
	while (c->link >= 0 && !s->has_ended && (r > 0 || r == -EBADMSG)) {
		r = link_receive(c->link, &m, fds, MSG_DONTWAIT);
		if (r > 0)
			on_message(s, c, &m, fds);
	}
	c->is_silent = r == 0; /* nothing more will come: not to be polled */
}

/* Whether the kernel was asked for the requests of the dead one, and the slots needn't be looked at. */
static bool ask_again(struct supervisor *s)
{
	bool resend = s->can_resend && s->options.replay != REPLAY_SLOTS;
	int r = resend ? mount_point_resend(s->fuse_fd) : -ENOSYS;
	if (resend && r < 0)
		log_warn("the kernel can't give requests again", KV("err", strerror(-r)));
	return r == 0 || s->options.replay == REPLAY_RESEND;
}

static void start_worker(struct supervisor *s)
{
	struct err e;
	s->start_at_us = 0;
	if (s->standby.pid < 0 && child_spawn(&s->standby, &s->options, &s->state, &s->child_mask, &e) < 0) {
		log_error("no worker can be started", KV("err", e.msg));
		s->start_at_us = clock_monotonic_us() + backoff_next_us(&s->backoff, 0);
		return;
	}
	s->worker = s->standby;
	s->standby = CHILD_NONE;
	s->standby_at_us = 0; /* what it waits for are those that die */
	struct link_message start = { .kind = LINK_START };
	if (s->is_mounted) {
		start.flags |= LINK_TAKES_OVER;
		if (!ask_again(s) || s->options.replay == REPLAY_BOTH)
			start.flags |= LINK_REPLAY;
	}
	s->worker.phase = CHILD_BUILDING;
	s->state.head->last_words[0] = 0;
	send_to(&s->worker, start, NULL, 0);
	/* So that it needn't wait for this process, which may wait for whoever reads its log. */
	if (s->is_mounted)
		send_to(&s->worker, (struct link_message){ .kind = LINK_SERVE }, &s->fuse_fd, 1);
}

static enum restart_reason reason_of(const struct supervisor *s, int status)
{
	return s->worker.phase == CHILD_RETIRING ? RESTART_UPGRADE
	       : s->worker.hangs                 ? RESTART_HANG
	       : WIFSIGNALED(status)             ? RESTART_SIGNAL
						 : RESTART_EXIT;
}

static void say_death(const struct supervisor *s, enum restart_reason why, int status, int64_t wait_us)
{
	const char *signal = WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : NULL;
	log_warn("worker ended, another one takes over", KV_I64("pid", s->worker.pid),
		KV("reason", restart_reason_names[why]), KV("signal", signal),
		KV_I64("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		KV("said", s->state.head->last_words), KV_I64("wait_ms", wait_us / 1000));
}

static void on_worker_end(struct supervisor *s, int status)
{
	hear(s, &s->worker);
	if (s->has_ended)
		return;
	if (!s->is_mounted) {
		end(s, -EIO); /* it has said why; or else: */
		if (WIFSIGNALED(status))
			err_set(s->err, -EIO, "the process that was to serve the mount died: %s",
				strsignal(WTERMSIG(status)));
		return;
	}
	if (mount_point_has_ended(s->fuse_fd) || s->is_ending) {
		end(s, 0);
		return;
	}
	enum restart_reason why = reason_of(s, status);
	int64_t now = clock_monotonic_us();
	int64_t served = s->worker.phase == CHILD_BUILDING ? 0 : now - s->worker.serving_us;
	int64_t wait = why == RESTART_UPGRADE ? 0 : backoff_next_us(&s->backoff, served);
	atomic_fetch_add(&s->state.head->restarts[why], 1);
	suspects_worker_died(suspects_attach(shared_state_region(&s->state, SHARED_REGION_SUSPECTS)),
		s->worker.hangs || suspects_is_crash(status));
	struct child dead = s->worker;
	s->died_us = now;
	if (!wait)
		start_worker(s);
	else
		s->start_at_us = now + wait;
	struct child new = s->worker;
	s->worker = dead;
	say_death(s, why, status, wait);
	child_close(&s->worker);
	s->worker = wait || s->start_at_us ? CHILD_NONE : new;
}

/* What it took since the next worker was started is given again; what that one is at, too, which it knows to bear. */
static void on_abandoned_end(struct supervisor *s, pid_t pid)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->abandoned); i++) {
		if (s->abandoned[i] != pid)
			continue;
		s->abandoned[i] = 0;
		mount_point_resend(s->fuse_fd);
	}
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s->worker.pid) {
			s->worker.pid_is_gone = true;
			on_worker_end(s, status);
		} else if (pid == s->standby.pid) {
			s->standby.pid_is_gone = true;
			child_close(&s->standby);
			upgrade_standby_died(s);
			s->standby_at_us = clock_monotonic_us() + STANDBY_RETRY_US;
		} else if (pid == s->try_pid) {
			upgrade_tried(s, WIFEXITED(status) && WEXITSTATUS(status) == 0);
		} else if (pid == s->unmounter) {
			s->unmounter = 0;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				log_info("mount is busy: detached", KV("mountpoint", s->options.mountpoint));
			s->linger_until_us = clock_monotonic_us() + (int64_t)s->options.linger_ms * 1000;
		} else {
			on_abandoned_end(s, pid);
		}
	}
}

/* Another process does, because that may wait for the worker. */
static void start_unmounting(struct supervisor *s)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (mount_point_unmount(s->options.mountpoint, false) == 0)
			_exit(0);
		mount_point_unmount(s->options.mountpoint, true);
		_exit(1);
	}
	s->unmounter = pid;
	if (pid < 0)
		s->linger_until_us = clock_monotonic_us();
}

static void stop(struct supervisor *s, int sig)
{
	if (s->is_stopping)
		return;
	log_info("stopping", KV("signal", strsignal(sig)));
	notify_stopping(NULL);
	s->is_stopping = true;
	child_kill(&s->standby);
	if (s->is_mounted) {
		start_unmounting(s);
		return;
	}
	end(s, err_set(s->err, -EINTR, "stopped before the mount was ready"));
}

static void on_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;
	while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (info.ssi_signo == SIGHUP && s->worker.phase == CHILD_SERVING)
			kill(s->worker.pid, SIGHUP);
		else if (info.ssi_signo != SIGHUP)
			stop(s, (int)info.ssi_signo);
	}
}

/* After a stop: what is still open is served for a while, and then the worker is told to end. */
static void tick_stopping(struct supervisor *s, int64_t now)
{
	if (!s->linger_until_us || now < s->linger_until_us)
		return;
	if (!s->is_ending) {
		/* What waits for the kernel may wait for the worker, so it is first. */
		invalidate_end_ms(s->invalidate, 1000);
		s->is_ending = true;
		s->linger_until_us = now + END_LIMIT_US;
		if (s->worker.phase == CHILD_SERVING)
			send_to(&s->worker, (struct link_message){ .kind = LINK_STOP }, NULL, 0);
		else
			end(s, 0);
	} else {
		log_warn("worker does not end", KV_I64("pid", s->worker.pid));
		end(s, 0);
	}
}

/*
 * Dead, but for a thread that doesn't end: it hangs in the kernel, or it only wasn't given the time yet. In the latter case it may
 * still take a request with it, which is asked for once more when it has gone. Only the kernel can be asked.
 */
static void abandon_worker(struct supervisor *s)
{
	unsigned i = 0;
	while (i < ARRAY_LEN(s->abandoned) && s->abandoned[i])
		i++;
	if (i == ARRAY_LEN(s->abandoned) || !s->can_resend || s->options.replay == REPLAY_SLOTS)
		return;
	log_warn("worker is dead, and not quite gone", KV_I64("pid", s->worker.pid));
	s->abandoned[i] = s->worker.pid;
	s->worker.pid_is_gone = true;
	on_worker_end(s, SIGKILL);
}

static void tick_worker(struct supervisor *s, int64_t now)
{
	struct child *w = &s->worker;
	if (w->pid < 0) {
		if (s->start_at_us && now >= s->start_at_us)
			start_worker(s);
		return;
	}
	if (w->phase == CHILD_SERVING && !w->hangs) {
		const char *how =
			child_hangs(w, &s->state, s->options.hang_ms / TICK_MS, LIVENESS_LIMIT_MS / TICK_MS);
		if (how) {
			log_error("worker hangs, it is killed", KV_I64("pid", w->pid), KV("how", how));
			w->hangs = true;
			kill(w->pid, SIGKILL);
		}
	}
	if (w->phase == CHILD_RETIRING && now >= w->serving_us + RETIRE_LIMIT_US)
		kill(w->pid, SIGKILL);
	if (child_is_zombie(w) && ++w->zombie_ticks > ZOMBIE_LIMIT_MS / TICK_MS)
		abandon_worker(s);
}

static void tick(struct supervisor *s)
{
	int64_t now = clock_monotonic_us();
	if (s->is_mounted && mount_point_has_ended(s->fuse_fd) && s->worker.pid < 0) {
		end(s, 0);
		return;
	}
	tick_worker(s, now);
	if (s->is_stopping) {
		tick_stopping(s, now);
	} else if (s->was_ready && s->standby.pid < 0 &&
		   (s->worker.phase == CHILD_SERVING || s->start_at_us) && now >= s->standby_at_us) {
		if (child_spawn(&s->standby, &s->options, &s->state, &s->child_mask, NULL) < 0)
			s->standby_at_us = now + STANDBY_RETRY_US;
	}
	if (!s->was_ready && now >= s->extend_at_us) {
		if (s->extend_at_us)
			notify_extend_timeout(EXTEND_START_US, NULL);
		s->extend_at_us = now + EXTEND_EVERY_US;
	}
}

static void supervise(struct supervisor *s)
{
	int64_t next_tick = 0;
	while (!s->has_ended) {
		struct pollfd p[] = {
			{ .fd = s->signal_fd, .events = POLLIN },
			{ .fd = s->worker.is_silent ? -1 : s->worker.link, .events = POLLIN },
			{ .fd = s->standby.is_silent ? -1 : s->standby.link, .events = POLLIN },
			{ .fd = s->listen_fd, .events = POLLIN },
		};
		int64_t left_us = next_tick - clock_monotonic_us();
		int r = poll(p, ARRAY_LEN(p), left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
		if (r > 0 && p[0].revents)
			on_signals(s);
		else if (r > 0 && p[1].revents)
			hear(s, &s->worker);
		else if (r > 0 && p[2].revents)
			hear(s, &s->standby);
		else if (r > 0 && p[3].revents)
			upgrade_accept(s);
		if (!s->has_ended && clock_monotonic_us() >= next_tick) {
			tick(s);
			next_tick = clock_monotonic_us() + TICK_MS * 1000;
		}
	}
}

int supervisor_run(const struct supervisor_options *options, struct err *e)
{
	struct supervisor s;
	struct err own = { .msg = "" };
	int r = init(&s, options, &own);
	s.err = &own;
	struct err why;
	if (r == 0 && upgrade_listen(&s, &why) < 0)
		log_warn("the mount can't be upgraded while it runs", KV("err", why.msg));
	if (r == 0) {
		if (s.is_mounted)
			reap(&s); /* what ended while this process became another */
		else
			start_worker(&s);
		supervise(&s);
		r = s.result;
	}
	fini(&s);
	if (e)
		*e = own;
	return r;
}
