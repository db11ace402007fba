/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/promql/binary.h"

#include "lib/promql/binary_join.h"
#include "lib/promql/binary_scalar.h"
#include "lib/promql/coalesce.h"
#include "lib/promql/set_operator.h"

struct op *binary_new(const struct expr *e, struct op *left, struct op *right)
{
	if (left->is_scalar && right->is_scalar)
		return binary_scalar_new(e, left, right);
	if (left->is_scalar || right->is_scalar)
		return merge_rows(binary_scalar_new(e, left, right));
	if (binary_op_is_set(e->binary.op))
		return merge_rows(set_operator_new(e, left, right));
	return merge_rows(binary_join_new(e, left, right));
}
