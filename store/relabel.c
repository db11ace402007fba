/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relabelling. Everything that can be wrong with a step is found when the configuration is read
 * (relabel_parse.c), so that applying one can't fail. Steps can make labels grow without end ("$1$1", one
 * after another): a step whose result would pass the limits below does nothing, as one whose target is no
 * label name does nothing in Prometheus.
 */
#include "store/relabel.h"

#include "lib/base/utf8.h"
#include "store/relabel_config.h"

#include <endian.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MAX_VALUE_BYTES (64u << 10) /* of a label's value, and of the joined values of the source labels */
#define MAX_LABELS      1024

void relabel_free(struct relabel_configs *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->len; i++) {
		struct relabel_config *c = &r->data[i];
		for (size_t k = 0; k < c->n_sources; k++)
			free(c->sources[k]);
		free(c->sources);
		free(c->separator);
		free(c->target);
		free(c->replacement);
		regex_free(c->regex);
	}
	free(r->data);
	free(r);
}

static const char *value_of(const struct labels *l, const char *name)
{
	const char *value = labels_get(l, name);
	return value ? value : "";
}

static void set(struct labels *l, const char *name, const char *value)
{
	if (l->len < MAX_LABELS || labels_get(l, name))
		labels_set(l, name, value);
}

static void expand(
	const struct relabel_config *c, const char *text, const struct regex_match *m, struct buf *out)
{
	regex_expand(c->regex, text, strlen(text), m, out);
}

static void replace(const struct relabel_config *c, const char *value, size_t n, struct labels *l)
{
	struct regex_match m;
	auto_buf struct buf target = { 0 }, result = { 0 };
	if (!regex_find(c->regex, value, n, &m))
		return;
	expand(c, c->target, &m, &target);
	expand(c, c->replacement, &m, &result);
	if (target.len && utf8_is_valid(target.data, target.len) && target.len <= MAX_VALUE_BYTES &&
		result.len <= MAX_VALUE_BYTES)
		set(l, buf_str(&target), buf_str(&result));
}

uint64_t relabel_hash(const char *value, size_t n)
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
	uint64_t last;
	EVP_Digest(value, n, digest, NULL, EVP_md5(), NULL);
	memcpy(&last, digest + 8, sizeof last);
	return be64toh(last);
}

static void hashmod(const struct relabel_config *c, const char *value, size_t n, struct labels *l)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, relabel_hash(value, n) % c->modulus);
	set(l, c->target, text);
}

/* Names made from names: as of before the step, so that what it adds isn't mapped again. */
static void map_names(const struct relabel_config *c, struct labels *l)
{
	struct labels before = { 0 };
	labels_copy(&before, l);
	for (size_t i = 0; i < before.len; i++) {
		struct regex_match m;
		auto_buf struct buf name = { 0 };
		if (!regex_find(c->regex, before.data[i].name, strlen(before.data[i].name), &m))
			continue;
		expand(c, c->replacement, &m, &name);
		if (name.len && name.len <= MAX_VALUE_BYTES)
			set(l, buf_str(&name), before.data[i].value);
	}
	labels_fini(&before);
}

/* Removes the labels whose names match, or don't. */
static void drop_names(const struct relabel_config *c, bool matching, struct labels *l)
{
	for (size_t i = l->len; i-- > 0;)
		if (regex_matches(c->regex, l->data[i].name, strlen(l->data[i].name)) == matching)
			labels_remove(l, l->data[i].name);
}

static void change_case(const struct relabel_config *c, const char *value, size_t n, struct labels *l)
{
	auto_buf struct buf b = { 0 };
	if (c->action == RELABEL_LOWERCASE)
		utf8_add_lower(&b, value, n);
	else
		utf8_add_upper(&b, value, n);
	if (b.len <= MAX_VALUE_BYTES)
		set(l, c->target, buf_str(&b));
}

/* The values of the source labels, joined. False: they are longer than any label may be. */
static bool join(const struct relabel_config *c, const struct labels *l, struct buf *out)
{
	for (size_t i = 0; i < c->n_sources; i++) {
		if (i)
			buf_add_str(out, c->separator);
		buf_add_str(out, value_of(l, c->sources[i]));
		if (out->len > MAX_VALUE_BYTES)
			return false;
	}
	return true;
}

/* False: the labels are dropped. */
static bool apply(const struct relabel_config *c, struct labels *l)
{
	auto_buf struct buf joined = { 0 };
	if (!join(c, l, &joined))
		return true;
	const char *value = buf_str(&joined);
	size_t n = joined.len;
	switch (c->action) {
	case RELABEL_KEEP: return regex_matches(c->regex, value, n);
	case RELABEL_DROP: return !regex_matches(c->regex, value, n);
	case RELABEL_KEEPEQUAL: return !strcmp(value_of(l, c->target), value);
	case RELABEL_DROPEQUAL: return strcmp(value_of(l, c->target), value) != 0;
	case RELABEL_REPLACE: replace(c, value, n, l); break;
	case RELABEL_HASHMOD: hashmod(c, value, n, l); break;
	case RELABEL_LABELMAP: map_names(c, l); break;
	case RELABEL_LABELDROP: drop_names(c, true, l); break;
	case RELABEL_LABELKEEP: drop_names(c, false, l); break;
	case RELABEL_LOWERCASE:
	case RELABEL_UPPERCASE: change_case(c, value, n, l); break;
	}
	return true;
}

bool relabel_apply(const struct relabel_configs *r, struct labels *l)
{
	for (size_t i = 0; r && i < r->len; i++)
		if (!apply(&r->data[i], l))
			return false;
	return true;
}
