/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/info.h"

static bool is_positive(const struct matcher *m)
{
	return m->kind == MATCH_EQUAL || m->kind == MATCH_REGEX;
}

/*
 * The label matchers first, then those of the name. Where none of these says which names there may be, .+_info; where there are none at
 * all, target_info.
 */
int info_matchers_init(struct info_matchers *m, const struct expr *selector, struct err *e)
{
	const struct matcher *given = selector ? selector->vector.matchers : NULL;
	size_t n = selector ? selector->vector.n_matchers : 0;
	bool has_name = false;
	*m = (struct info_matchers){ .all = xcalloc(n + 1, sizeof m->all[0]) };
	for (size_t i = 0; i < n; i++)
		if (!text_is(given[i].name, LABEL_NAME))
			m->all[m->n++] = given[i];
	for (size_t i = 0; i < n; i++)
		if (text_is(given[i].name, LABEL_NAME)) {
			m->all[m->n++] = given[i];
			m->n_named++;
			has_name |= is_positive(&given[i]);
		}
	if (has_name)
		return 0;
	int r = m->n_named ? matcher_init(&m->all[m->n], MATCH_REGEX, LABEL_NAME, TEXT(".+_info"), e)
			   : matcher_init(&m->all[m->n], MATCH_EQUAL, LABEL_NAME, TEXT("target_info"), e);
	if (r < 0)
		return r;
	m->n++;
	m->n_named++;
	m->n_compiled = 1;
	return 0;
}

void info_matchers_fini(struct info_matchers *m)
{
	for (size_t i = m->n - m->n_compiled; i < m->n; i++)
		matcher_fini(&m->all[i]);
	free(m->all);
	*m = (struct info_matchers){ 0 };
}
