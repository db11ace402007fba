/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the language, and what messages call a token. */
#include "lib/promql/word.h"

#include "lib/base/mem.h"
#include "lib/base/quote.h"
#include "lib/base/utf8.h"

#include <strings.h>

#define WORD_MAX 12 /* bytes of the longest */

static const struct {
	const char *text;
	enum token_kind kind;
} words[] = {
	{ "anchored", TOKEN_ANCHORED },
	{ "and", TOKEN_AND },
	{ "atan2", TOKEN_ATAN2 },
	{ "avg", TOKEN_AVG },
	{ "bool", TOKEN_BOOL },
	{ "bottomk", TOKEN_BOTTOMK },
	{ "by", TOKEN_BY },
	{ "count", TOKEN_COUNT },
	{ "count_values", TOKEN_COUNT_VALUES },
	{ "end", TOKEN_END_WORD },
	{ "fill", TOKEN_FILL },
	{ "fill_left", TOKEN_FILL_LEFT },
	{ "fill_right", TOKEN_FILL_RIGHT },
	{ "group", TOKEN_GROUP },
	{ "group_left", TOKEN_GROUP_LEFT },
	{ "group_right", TOKEN_GROUP_RIGHT },
	{ "ignoring", TOKEN_IGNORING },
	{ "inf", TOKEN_NUMBER },
	{ "limit_ratio", TOKEN_LIMIT_RATIO },
	{ "limitk", TOKEN_LIMITK },
	{ "max", TOKEN_MAX },
	{ "max_of", TOKEN_MAX_OF },
	{ "min", TOKEN_MIN },
	{ "min_of", TOKEN_MIN_OF },
	{ "nan", TOKEN_NUMBER },
	{ "offset", TOKEN_OFFSET },
	{ "on", TOKEN_ON },
	{ "or", TOKEN_OR },
	{ "quantile", TOKEN_QUANTILE },
	{ "range", TOKEN_RANGE },
	{ "smoothed", TOKEN_SMOOTHED },
	{ "start", TOKEN_START },
	{ "stddev", TOKEN_STDDEV },
	{ "stdvar", TOKEN_STDVAR },
	{ "step", TOKEN_STEP },
	{ "sum", TOKEN_SUM },
	{ "topk", TOKEN_TOPK },
	{ "unless", TOKEN_UNLESS },
	{ "without", TOKEN_WITHOUT },
};

enum token_kind word_find(struct text w)
{
	if (w.len > WORD_MAX)
		return TOKEN_IDENTIFIER;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strncasecmp(words[i].text, w.p, w.len) == 0 && !words[i].text[w.len])
			return words[i].kind;
	return TOKEN_IDENTIFIER;
}

/* The first ten characters where there are more than ten bytes. */
static void add_short(struct text s, struct buf *out)
{
	if (s.len <= 10) {
		quote_add(out, s.p, s.len);
		return;
	}
	size_t n = 0;
	for (unsigned i = 0; i < 10 && n < s.len; i++) {
		uint32_t c;
		n += utf8_decode(s.p + n, s.len - n, &c);
	}
	quote_add(out, s.p, n);
	buf_add_str(out, "...");
}

static void add_class(const char *before, struct text s, struct buf *out)
{
	buf_add_str(out, before);
	buf_add(out, s.p, s.len);
	buf_add_u8(out, '>');
}

void token_describe(const struct token *t, struct buf *out)
{
	enum token_kind k = t->kind;
	if (k == TOKEN_END) {
		buf_add_str(out, "end of input");
	} else if (k == TOKEN_IDENTIFIER || k == TOKEN_METRIC_IDENTIFIER) {
		buf_add_str(out, k == TOKEN_IDENTIFIER ? "identifier " : "metric identifier ");
		quote_add(out, t->text.p, t->text.len);
	} else if (k >= TOKEN_FIRST_KEYWORD && k <= TOKEN_LAST_KEYWORD) {
		add_class("<", t->text, out);
	} else if (k >= TOKEN_FIRST_OPERATOR && k <= TOKEN_LAST_OPERATOR) {
		add_class("<op:", t->text, out);
	} else if (k >= TOKEN_FIRST_AGGREGATOR && k <= TOKEN_LAST_AGGREGATOR) {
		add_class("<aggr:", t->text, out);
	} else {
		if (k == TOKEN_NUMBER)
			buf_add_str(out, "number ");
		else if (k == TOKEN_DURATION)
			buf_add_str(out, "duration ");
		else if (k == TOKEN_STRING)
			buf_add_str(out, "string ");
		add_short(t->text, out);
	}
}
