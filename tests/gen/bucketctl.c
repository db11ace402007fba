/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of any bucket by hand, for tests: the bucket is the YAML file that thanosfs takes.
 *
 *	bucketctl BUCKET.yaml put NAME FILE
 *	bucketctl BUCKET.yaml get NAME          to standard output
 *	bucketctl BUCKET.yaml ls [PREFIX]       every object below: its size, a tab, its name; sorted
 *	bucketctl BUCKET.yaml stat NAME         size, a tab, the modification's milliseconds since 1970
 *	bucketctl BUCKET.yaml rm NAME
 *
 * Nothing is tried again: what fails is said on standard error, and the exit status is 1.
 */
#include "lib/base/file.h"
#include "lib/base/vec.h"
#include "store/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define PIECE_BYTES (1u << 20)

static int put(struct bucket *b, const char *name, const char *file, struct err *e)
{
	auto_of(blob) struct blob *content = NULL;
	int r = blob_open_file(file, &content, e);
	return r < 0 ? r : bucket_put(b, name, content, e);
}

static int get(struct bucket *b, const char *name, struct err *e)
{
	auto_of(blob) struct blob *object = NULL;
	auto_buf struct buf piece = { 0 };
	int r = bucket_open(b, name, &object, e);
	for (uint64_t at = 0; r == 0 && at < object->size; at += piece.len) {
		buf_reset(&piece);
		r = blob_read_buf(object, &piece, PIECE_BYTES, at, e);
		if (r == 0 && (r = file_write_all(STDOUT_FILENO, piece.data, piece.len)) < 0)
			r = err_errno(e, r, "writing to standard output");
	}
	return r;
}

struct lines {
	VEC(char *) all;
};

static int add_line(void *arg, const struct object_info *o)
{
	struct lines *l = arg;
	vec_push(&l->all, xasprintf("%" PRIu64 "\t%s", o->size, o->name));
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(strchr(*(char *const *)a, '\t'), strchr(*(char *const *)b, '\t'));
}

static int list(struct bucket *b, const char *prefix, struct err *e)
{
	struct lines l = { 0 };
	int r = bucket_list(b, prefix, true, true, add_line, &l, e);
	vec_sort(&l.all, compare_lines);
	vec_each (line, &l.all) {
		if (r == 0)
			puts(*line);
		free(*line);
	}
	vec_fini(&l.all);
	return r;
}

static int show(struct bucket *b, const char *name, struct err *e)
{
	struct object_info info;
	int r = bucket_stat(b, name, &info, e);
	if (r == 0)
		printf("%" PRIu64 "\t%" PRId64 "\n", info.size, info.mtime_ms);
	return r;
}

static int run(int argc, char **argv, struct err *e)
{
	auto_of(objstore_config) struct objstore_config *config = NULL;
	auto_of(bucket) struct bucket *b = NULL;
	const struct objstore_layers once = { 0 };
	const char *verb = argc > 2 ? argv[2] : "", *name = argc > 3 ? argv[3] : "";
	int r = argc > 2 ? objstore_config_load(argv[1], &config, e) : 0;
	if (r == 0 && config)
		r = objstore_bucket_new(config, &once, &b, e);
	if (r < 0)
		return r;
	if (!strcmp(verb, "put") && argc == 5)
		return put(b, name, argv[4], e);
	if (!strcmp(verb, "get") && argc == 4)
		return get(b, name, e);
	if (!strcmp(verb, "ls") && argc <= 4)
		return list(b, name, e);
	if (!strcmp(verb, "stat") && argc == 4)
		return show(b, name, e);
	if (!strcmp(verb, "rm") && argc == 4)
		return bucket_remove(b, name, e);
	return err_set(e, -EINVAL,
		"usage: bucketctl BUCKET.yaml put NAME FILE | get NAME | ls [PREFIX] | stat NAME | rm NAME");
}

int main(int argc, char **argv)
{
	struct err e = { .msg = "" };
	int r = run(argc, argv, &e);
	if (r < 0)
		fprintf(stderr, "bucketctl: %s\n", e.msg);
	return r < 0;
}
