/* SPDX-License-Identifier: Apache-2.0 */
/* The S3 test server: any head is refused or judged, and nobody who doesn't know the secret gets in. */
#include "tests/support/s3serve_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct s3serve_account account = { "K", "a secret that is in no input", NULL, "r" };
	struct s3serve_request q;
	size_t n = s3serve_head_length(data, size);
	if (n && n <= S3SERVE_HEAD_BYTES && s3serve_request_parse(&q, data, n) == 0) {
		struct s3serve_verdict v;
		s3serve_auth_check(&q, &account, 1369353600, &v);
		if (!v.code || v.status < 400)
			abort();
		s3serve_verdict_fini(&v);
	}
	if (n)
		s3serve_request_fini(&q);
	return 0;
}
