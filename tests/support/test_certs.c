/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test_certs.h"

#include "tests/support/test.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define DAY_SECONDS 86400

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	CHECK(x && X509_add_ext(cert, x, -1) == 1);
	X509_EXTENSION_free(x);
}

static FILE *create(char *path, size_t path_bytes, const char *dir, const char *name, const char *suffix)
{
	snprintf(path, path_bytes, "%s/%s.%s", dir, name, suffix);
	FILE *f = fopen(path, "w");
	CHECK(f);
	return f;
}

void test_cert_make(
	struct test_cert *out, const char *dir, const char *name, int days, const struct test_cert *issuer)
{
	static long serial = 1;
	struct in_addr ip;
	char names[256];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	CHECK(key && cert);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(cert), -2L * DAY_SECONDS);
	X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * DAY_SECONDS);
	X509_set_pubkey(cert, key);
	X509_NAME *subject = X509_get_subject_name(cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
	snprintf(names, sizeof names, "%s:%s", inet_aton(name, &ip) ? "IP" : "DNS", name);
	add_extension(cert, NID_subject_alt_name, names);
	if (!issuer)
		add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	CHECK(X509_sign(cert, issuer ? issuer->key : key, EVP_sha256()) > 0);

	FILE *f = create(out->cert_file, sizeof out->cert_file, dir, name, "crt");
	CHECK(PEM_write_X509(f, cert) == 1);
	fclose(f);
	f = create(out->key_file, sizeof out->key_file, dir, name, "key");
	CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	fclose(f);
	out->cert = cert;
	out->key = key;
}

void test_cert_fini(struct test_cert *c)
{
	X509_free(c->cert);
	EVP_PKEY_free(c->key);
}
