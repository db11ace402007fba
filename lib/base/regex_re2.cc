/* SPDX-License-Identifier: Apache-2.0 */
/* RE2 behind C functions. No exception leaves: RE2 throws none, and out of memory aborts here as everywhere.
 */
#include "lib/base/regex_re2.h"

#include <re2/re2.h>
#include <stdio.h>

struct regex_re2 {
	re2::RE2 re;
};

static re2::RE2::Options options(size_t max_bytes)
{
	re2::RE2::Options o;
	o.set_log_errors(false);
	o.set_dot_nl(true);
	o.set_max_mem(static_cast<int64_t>(max_bytes));
	return o;
}

struct regex_re2 *regex_re2_new(
	const char *pattern, size_t n, size_t max_bytes, size_t *groups, char *why, size_t why_bytes)
{
	auto *r = new regex_re2{ re2::RE2(re2::StringPiece(pattern, n), options(max_bytes)) };
	if (!r->re.ok()) {
		snprintf(why, why_bytes, "%s", r->re.error().c_str());
		delete r;
		return nullptr;
	}
	*groups = static_cast<size_t>(r->re.NumberOfCapturingGroups());
	return r;
}

void regex_re2_free(struct regex_re2 *r)
{
	delete r;
}

int regex_re2_match(const struct regex_re2 *r, const char *text, size_t n, struct regex_re2_group *groups,
	size_t n_groups)
{
	re2::StringPiece whole(text, n), found[64];
	if (n_groups > 64)
		n_groups = 64;
	if (!r->re.Match(whole, 0, n, re2::RE2::ANCHOR_BOTH, n_groups ? found : nullptr,
		    static_cast<int>(n_groups)))
		return 0;
	for (size_t i = 0; i < n_groups; i++) {
		groups[i].begin = found[i].data();
		groups[i].len = found[i].size();
	}
	return 1;
}

size_t regex_re2_named(const struct regex_re2 *r, const char *name, size_t n)
{
	const auto &named = r->re.NamedCapturingGroups();
	auto at = named.find(std::string(name, n));
	return at == named.end() ? 0 : static_cast<size_t>(at->second);
}

size_t regex_re2_bytes(const struct regex_re2 *r)
{
	return static_cast<size_t>(r->re.ProgramSize()) * 16; /* RE2's Prog::Inst */
}
