/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, and durations that stand for their seconds. */
#include "lib/promql/literal.h"
#include "lib/promql/parser.h"

struct expr *parse_number(struct parser *p)
{
	struct token t = parser_take(p);
	auto_buf struct buf why = { 0 };
	double value;
	bool is_duration = t.kind == TOKEN_DURATION;
	if (is_duration && !literal_duration(t.text, &value, &why))
		return parser_complain(p, t.span.start, "%s", buf_str(&why));
	if (!is_duration && !literal_number(t.text, &value, &why))
		return parser_complain(p, t.span.start, "error parsing number: %s", buf_str(&why));
	struct expr *e = parser_node(p, EXPR_NUMBER, VALUE_SCALAR, t.span, 0);
	if (e) {
		e->number.value = value;
		e->number.is_duration = is_duration;
	}
	return e;
}
