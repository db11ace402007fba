/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict S3 server over a local directory, for tests and benches: one bucket, whose objects are the files below --dir.
 *
 *	s3serve --dir=DIR --bucket=NAME --access-key=K --secret-key=S [flags]
 *
 * It prints its port once it listens, and runs until SIGTERM. Signatures are verified, dates and regions too. Bucket
 * names in the path and in the host both work. A test may change the directory under it.
 *
 * What it is to do wrong is written in rules (tests/support/s3serve_faults.h):
 *
 *	curl --data-binary 'do=status code=503 retry-after=1 method=GET key=/chunks/ times=3' URL/-/faults
 *	curl URL/-/faults                   how often each rule struck
 *	s3serve ... --faults=FILE           the same text, read again whenever the file changes: for an end of
 *	                                    "outage=closed", when nothing listens that could be told
 *
 * --log=FILE has a line a request: when it began and ended in microseconds since 1970, method, key (of the bucket's own
 * requests: '?' and the query), range or '-', status, bytes of the body that were sent.
 */
#include "lib/base/file.h"
#include "tests/support/options.h"
#include "tests/support/s3serve_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define POLL_MS 20

struct options {
	char *dir, *bucket, *access_key, *secret_key, *session_token, *region, *tls_cert, *tls_key,
		*tls_client_ca, *log, *faults, *offset;
	uint64_t port, bandwidth, threads;
	int64_t latency_ms;
	bool help;
};

static const struct flag table[] = {
	OPTION("dir", FLAG_STRING, dir, "Where the objects are; made where it isn't there.",
		.value_name = "DIR"),
	OPTION("bucket", FLAG_STRING, bucket, "The bucket's name.", .value_name = "NAME"),
	OPTION("access-key", FLAG_STRING, access_key, "Who may ask.", .value_name = "KEY"),
	OPTION("secret-key", FLAG_STRING, secret_key, "What requests are signed with.",
		.value_name = "SECRET"),
	OPTION("session-token", FLAG_STRING, session_token, "Must come with every request.",
		.value_name = "TOKEN"),
	OPTION("region", FLAG_STRING, region, "What requests must be signed for.", .value_name = "NAME",
		.default_text = "us-east-1"),
	OPTION("tls-cert", FLAG_STRING, tls_cert, "Serve HTTPS with this certificate (PEM).",
		.value_name = "FILE"),
	OPTION("tls-key", FLAG_STRING, tls_key, "And its key.", .value_name = "FILE"),
	OPTION("tls-client-ca", FLAG_STRING, tls_client_ca, "Who asks needs a certificate of this authority.",
		.value_name = "FILE"),
	OPTION("log", FLAG_STRING, log, "A line a request.", .value_name = "FILE"),
	OPTION("faults", FLAG_STRING, faults, "Rules of what to do wrong; read again whenever it changes.",
		.value_name = "FILE"),
	OPTION("clock-offset", FLAG_STRING, offset, "How far the server's clock is ahead; may be negative.",
		.value_name = "SECONDS", .default_text = "0"),
	OPTION("port", FLAG_COUNT, port, "On 127.0.0.1; 0 takes a free one.", .value_name = "PORT",
		.default_text = "0", .highest = 65535),
	OPTION("latency", FLAG_DURATION, latency_ms, "Added to every request.", .value_name = "DURATION",
		.default_text = "0s"),
	OPTION("bandwidth", FLAG_BYTES, bandwidth, "Of objects' bytes a second and connection; 0: no limit.",
		.value_name = "SIZE", .default_text = "0"),
	OPTION("threads", FLAG_COUNT, threads, "That serve.", .value_name = "N", .default_text = "2",
		.lowest = 1, .highest = 64),
	OPTION_HELP,
	{ 0 },
};

static const struct flag_set flags = {
	.usage = "s3serve [flags]",
	.summary = "Serves a directory as an S3 bucket, for tests.",
	.table = table,
};

static int check_options(const struct options *o, struct s3serve *s, struct err *e)
{
	if (!o->dir || !o->bucket || !o->access_key || !o->secret_key)
		return err_set(e, -EINVAL, "--dir, --bucket, --access-key and --secret-key are needed");
	if (!o->tls_cert != !o->tls_key)
		return err_set(e, -EINVAL, "--tls-cert and --tls-key go together");
	char *rest;
	s->clock_offset_seconds = strtoll(o->offset, &rest, 10);
	if (!*o->offset || *rest)
		return err_set(e, -EINVAL, "--clock-offset: \"%s\" is no number of seconds", o->offset);
	return 0;
}

static int listen_on(unsigned port, unsigned *got, struct err *e)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, -errno, "making a socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (struct sockaddr *)&at, n) < 0 || listen(fd, 4096) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &n) < 0) {
		int r = -errno;
		close(fd);
		return err_errno(e, r, "listening on port %u", port);
	}
	*got = ntohs(at.sin_port);
	return fd;
}

static int tls_new(const struct options *o, SSL_CTX **out, struct err *e)
{
	if (!o->tls_cert)
		return 0;
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	*out = c;
	if (SSL_CTX_use_certificate_chain_file(c, o->tls_cert) != 1)
		return err_set(e, -EINVAL, "%s is no certificate", o->tls_cert);
	if (SSL_CTX_use_PrivateKey_file(c, o->tls_key, SSL_FILETYPE_PEM) != 1)
		return err_set(e, -EINVAL, "%s is not the certificate's key", o->tls_key);
	if (!o->tls_client_ca)
		return 0;
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_load_verify_locations(c, o->tls_client_ca, NULL) != 1)
		return err_set(e, -EINVAL, "%s is no certificate", o->tls_client_ca);
	return 0;
}

/* Reads the rules again when the file is another than at the last look. */
static void watch_faults(const char *path, struct s3serve_faults *f, struct stat *seen)
{
	struct stat now;
	struct err e;
	if (!path || stat(path, &now) < 0)
		return;
	if (now.st_ino == seen->st_ino && now.st_size == seen->st_size &&
		now.st_mtim.tv_sec == seen->st_mtim.tv_sec && now.st_mtim.tv_nsec == seen->st_mtim.tv_nsec)
		return;
	*seen = now;
	auto_buf struct buf text = { 0 };
	if (file_read(path, 1 << 20, &text, &e) < 0 || s3serve_faults_set(f, buf_str(&text), &e) < 0)
		fprintf(stderr, "s3serve: %s: %s\n", path, e.msg);
}

static void accept_all(int listener, struct s3serve_loop *loop, enum s3serve_outage outage)
{
	int fd;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (outage != OUTAGE_RESET) {
			s3serve_loop_add(loop, fd);
			continue;
		}
		setsockopt(
			fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		close(fd);
	}
}

/* Accepts, and follows what the rules say of outages, until a signal comes. */
static int accept_until_signal(
	const struct options *o, struct s3serve *s, struct s3serve_loop *loop, int signals, struct err *e)
{
	unsigned port;
	struct stat seen = { 0 };
	watch_faults(o->faults, s->faults, &seen);
	int listener = listen_on((unsigned)o->port, &port, e);
	if (listener < 0)
		return listener;
	printf("%u\n", port);
	fflush(stdout);
	for (enum s3serve_outage before = OUTAGE_NONE;;) {
		struct pollfd wait[] = { { .fd = signals, .events = POLLIN },
			{ .fd = listener, .events = POLLIN } };
		poll(wait, 2, POLL_MS);
		if (wait[0].revents)
			break;
		watch_faults(o->faults, s->faults, &seen);
		enum s3serve_outage now = s3serve_faults_outage(s->faults);
		if (now == OUTAGE_CLOSED && listener >= 0) {
			close(listener);
			listener = -1;
		} else if (now != OUTAGE_CLOSED && listener < 0) {
			listener = listen_on(
				port, &port, NULL); /* tried again after a moment when the port is taken */
		}
		if (now != before && (now == OUTAGE_CLOSED || now == OUTAGE_RESET))
			s3serve_loop_reset(loop);
		before = now;
		if (listener >= 0)
			accept_all(listener, loop, now);
	}
	if (listener >= 0)
		close(listener);
	return 0;
}

static int run(const struct options *o, struct err *e)
{
	struct s3serve s = { .bucket = o->bucket,
		.account = { o->access_key, o->secret_key, o->session_token, o->region } };
	struct s3serve_loop_options with = { .server = &s,
		.threads = (unsigned)o->threads,
		.latency_us = o->latency_ms * 1000,
		.bandwidth = o->bandwidth,
		.log_fd = -1 };
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	int r = check_options(o, &s, e);
	if (r == 0)
		r = s3serve_store_open(o->dir, &s.store, e);
	if (r == 0)
		r = tls_new(o, &with.tls, e);
	if (r == 0 && o->log &&
		(with.log_fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
		r = err_errno(e, -errno, "opening %s", o->log);
	if (r == 0) {
		s.faults = s3serve_faults_new();
		s.uploads = s3serve_uploads_new();
		int signals = signalfd(-1, &set, SFD_CLOEXEC);
		struct s3serve_loop *loop = s3serve_loop_new(&with);
		r = accept_until_signal(o, &s, loop, signals, e);
		s3serve_loop_free(loop);
		close(signals);
		s3serve_uploads_free(s.uploads);
		s3serve_faults_free(s.faults);
	}
	if (with.log_fd >= 0)
		close(with.log_fd);
	SSL_CTX_free(with.tls);
	s3serve_store_close(s.store);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { 0 };
	struct err e;
	auto_free const char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
	size_t n_rest = 0;
	int r = flags_parse(&flags, argc, argv, &o, rest, &n_rest, &e);
	if (r == 0 && n_rest)
		r = err_set(&e, -EINVAL, "unexpected \"%s\"", rest[0]);
	if (r == 0 && o.help)
		options_print_help(&flags);
	else if (r == 0)
		r = run(&o, &e);
	if (r < 0)
		fprintf(stderr, "s3serve: %s\n", e.msg);
	flags_fini(&flags, &o);
	return r < 0;
}
