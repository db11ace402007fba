/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells windows of the usual kind from others, and how times become seconds without a division. A usual window's samples come close to
 * both of its bounds, and a counter's so far from having been zero that this isn't to be thought of: then of all that extrapolate() weighs only
 * the scaling is left. What is close to a limit, by more than what rounding takes, isn't usual.
 */
#ifndef PROMQL_RATE_USUAL_H
#define PROMQL_RATE_USUAL_H

#define RATE_NEAR 1.09 /* times the samples' distance: a bound is near; extrapolate() has 1.1 */
#define RATE_FAR  1.01 /* times what would be zero right at the window's start */

/*
 * ms / 1000, to the bit, is ms * HIGH + ms * LOW for any int32_t: the first factor has 21 bits, so that its product is exact, and the two together are
 * 1/1000 but for 2^-73 of it. No quotient of an integer by 1000 is nearer than 2^-64 to where rounding goes the other way.
 */
#define RATE_MILLI_HIGH 0x1.0624dp-10
#define RATE_MILLI_LOW  0xd.2f1a9fbe76c8b43958p-34

#endif
