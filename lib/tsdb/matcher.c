/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/matcher.h"

int matcher_init(
	struct matcher *m, enum matcher_kind kind, struct text name, struct text value, struct err *e)
{
	*m = (struct matcher){ .kind = kind, .name = name, .value = value };
	bool is_regex = kind == MATCH_REGEX || kind == MATCH_NOT_REGEX;
	return is_regex ? regex_compile(value.p, value.len, &m->regex, e) : 0;
}

void matcher_fini(struct matcher *m)
{
	regex_free(m->regex);
	m->regex = NULL;
}

bool matcher_accepts(const struct matcher *m, struct text value)
{
	switch (m->kind) {
	case MATCH_EQUAL: return text_is(m->value, value);
	case MATCH_NOT_EQUAL: return !text_is(m->value, value);
	case MATCH_REGEX: return regex_matches(m->regex, value.len ? value.p : "", value.len);
	case MATCH_NOT_REGEX: return !regex_matches(m->regex, value.len ? value.p : "", value.len);
	}
	return false;
}

bool matchers_accept(const struct matcher *m, size_t n, const struct label_set *labels)
{
	for (size_t i = 0; i < n; i++)
		if (!matcher_accepts(&m[i], label_set_get(labels, m[i].name)))
			return false;
	return true;
}

const char *matcher_kind_text(enum matcher_kind kind)
{
	static const char *const texts[] = { "=", "!=", "=~", "!~" };
	return texts[kind];
}
