/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials files: whatever is found goes into headers, so it is printable and has no blanks. */
#include "store/s3_credentials.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, int may_be_empty)
{
	if (!*text && !may_be_empty)
		abort();
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const profiles[] = { "default", "a", "" };
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
		struct s3_keys k = { 0 };
		if (s3_credentials_parse((const char *)data, size, profiles[i], &k) == 0) {
			check(k.access_key, 0);
			check(k.secret_key, 0);
			check(k.session_token, 1);
		}
		s3_keys_fini(&k);
	}
	return 0;
}
