/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listing. Object stores list in order, so that a block's files are all known once the listing has come to the next block;
 * where another store doesn't, a block turns up in several places, and what was found of it by then was not all.
 */
#include "store/block_list.h"

#include "store/bucket_retry.h"

#define TRIES 3

struct listing {
	struct bucket *bucket;
	block_list_known_fn *known;
	void *arg;
	struct block_list *out;
	struct look_ahead *ahead; /* NULL: the listing doesn't tell what files a block has */
	bool is_out_of_order;     /* so far */
};

static void fini_block(struct looked *b)
{
	block_look_fini(&b->look);
	catalogue_block_unref(b->known.block);
}

static void begin(struct listing *l)
{
	vec_each (b, &l->out->blocks)
		fini_block(b);
	l->out->blocks.len = 0;
	look_ahead_free(l->ahead);
	l->ahead = l->bucket->flat_listing ? look_ahead_new(l->bucket, LOOK_AHEAD_MAX_THREADS) : NULL;
	l->is_out_of_order = false;
}

/*
 * The listing has come to another block than its last one: if it is in order, all files of the last one are known, and it may
 * be looked at if it is new. Whether that was so is seen in join_blocks.
 */
static void leave_block(struct listing *l, struct block_scan *last, const struct ulid *next)
{
	l->is_out_of_order |= ulid_cmp(&last->ulid, next) > 0;
	if (!l->ahead || l->is_out_of_order || !last->has_meta)
		return;
	const struct block_known *known = l->known(l->arg, &last->ulid);
	if (!known || !known->block)
		look_ahead_add(l->ahead, last, known && known->has_bad_mark);
}

static int list_object(void *arg, const struct object_info *o)
{
	struct listing *l = arg;
	struct ulid ulid;
	const char *rest;
	if (!block_scan_path(o->name, &ulid, &rest))
		return 0;
	size_t n = l->out->blocks.len;
	struct looked *last = n ? &l->out->blocks.data[n - 1] : NULL;
	if (!last || ulid_cmp(&last->look.scan.ulid, &ulid) != 0) {
		if (last)
			leave_block(l, &last->look.scan, &ulid);
		last = vec_push_slot(&l->out->blocks);
		*last = (struct looked){ .look.scan.ulid = ulid };
	}
	block_scan_add(&last->look.scan, rest, o->size);
	return 0;
}

static int compare_blocks(const void *a, const void *b)
{
	return ulid_cmp(
		&((const struct looked *)a)->look.scan.ulid, &((const struct looked *)b)->look.scan.ulid);
}

/* Takes back what was found while the listing went on. These are some of all blocks, in the same order. */
static void take_looked(struct listing *l)
{
	size_t n = look_ahead_count(l->ahead), next = 0;
	for (size_t i = 0; i < l->out->blocks.len && next < n; i++) {
		struct looked *b = &l->out->blocks.data[i], *looked = look_ahead_get(l->ahead, next);
		if (compare_blocks(b, looked) != 0)
			continue;
		*b = *looked;
		b->look.is_done = true;
		*looked = (struct looked){ .look.scan.ulid = b->look.scan.ulid };
		next++;
	}
}

/* Of a block that was listed in several places: what was found of it by then was not all. */
static void join_blocks(struct looked *to, struct looked *from)
{
	struct looked joined = { .look.scan = to->look.scan };
	block_scan_merge(&joined.look.scan, &from->look.scan);
	to->look.scan = from->look.scan = (struct block_scan){ 0 };
	fini_block(to);
	fini_block(from);
	*to = joined;
}

static void sort_blocks(struct block_list *list)
{
	size_t n = 0;
	vec_sort(&list->blocks, compare_blocks);
	vec_each (b, &list->blocks) {
		if (n > 0 && !compare_blocks(&list->blocks.data[n - 1], b))
			join_blocks(&list->blocks.data[n - 1], b);
		else
			list->blocks.data[n++] = *b;
	}
	list->blocks.len = n;
}

int block_list(struct bucket *b, block_list_known_fn *known, void *arg, struct block_list *out, struct err *e)
{
	struct listing l = { .bucket = b, .known = known, .arg = arg, .out = out };
	int r = 0;
	/* One that breaks off after it delivered something is begun anew; one that delivered nothing has been. */
	for (int tries = 0;
		tries == 0 || (tries < TRIES && out->blocks.len > 0 && r < 0 && bucket_error_is_transient(r));
		tries++) {
		begin(&l);
		r = bucket_list(b, "", b->flat_listing, b->flat_listing, list_object, &l, e);
	}
	if (r >= 0) {
		if (l.ahead) {
			look_ahead_wait(l.ahead);
			take_looked(&l);
		}
		sort_blocks(out);
	}
	look_ahead_free(l.ahead);
	return r < 0 ? r : 0;
}

void block_list_fini(struct block_list *l)
{
	vec_each (b, &l->blocks)
		fini_block(b);
	vec_fini(&l->blocks);
}
