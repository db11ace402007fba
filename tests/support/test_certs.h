/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a test's own, as PEM files. */
#ifndef TESTS_TEST_CERTS_H
#define TESTS_TEST_CERTS_H

struct test_cert {
	char cert_file[512], key_file[512];
	void *cert, *key; /* of the TLS library */
};

/*
 * Makes DIR/NAME.crt and DIR/NAME.key for a host of that name, an address, or a client. It was valid from yesterday on,
 * for `days`: -1 makes one that has expired. issuer NULL: it signs itself, and may sign others.
 */
void test_cert_make(
	struct test_cert *out, const char *dir, const char *name, int days, const struct test_cert *issuer);
void test_cert_fini(struct test_cert *c);

#endif
