/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/http_date.h"

#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <errno.h>

TEST(the_date_of_the_rfc_reads_and_writes)
{
	int64_t t = 0;
	char text[HTTP_DATE_CHARS];
	CHECK_INT(http_date_parse("Sun, 06 Nov 1994 08:49:37 GMT", &t), 0);
	CHECK_INT(t, 784111777000);
	http_date_format(t, text);
	CHECK_STR(text, "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(dates_survive_a_round_trip)
{
	uint64_t seed = 7;
	for (int i = 0; i < 1000; i++) {
		int64_t want = (int64_t)(test_random(&seed) % 253402300800) * 1000, got = -1;
		char text[HTTP_DATE_CHARS];
		http_date_format(want, text);
		CHECK_INT(http_date_parse(text, &got), 0);
		CHECK_INT(got, want);
	}
}

TEST(other_forms_are_refused)
{
	static const char *const texts[] = { "", "0", "Sun, 06 Nov 1994 08:49:37 CET",
		"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Now 1994 08:49:37 GMT",
		"Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMTx", "Sun, 06 anF 1994 08:49:37 GMT",
		"Sun, 06 Nov -994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:7  GMT" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int64_t t;
		if (http_date_parse(texts[i], &t) != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s was taken", texts[i]);
	}
}

TEST_MAIN()
