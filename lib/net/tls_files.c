/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/net/tls_files.h"

#include "lib/base/file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdbool.h>

#define PEM_MAX_BYTES (16u << 20)

DEFINE_AUTO(bio, BIO *, BIO_free_all)
DEFINE_AUTO(x509, X509 *, X509_free)
DEFINE_AUTO(pkey, EVP_PKEY *, EVP_PKEY_free)

/* Without this OpenSSL asks for a passphrase at the terminal. */
static int no_passphrase(char *out, int out_bytes, int rw, void *arg)
{
	(void)out, (void)out_bytes, (void)rw, (void)arg;
	return 0;
}

static int read_pem(const char *option, const char *path, struct buf *out, struct err *e)
{
	struct err inner;
	if (file_read(path, PEM_MAX_BYTES, out, &inner) < 0)
		return err_set(e, -EINVAL, "%s: %s", option, inner.msg);
	return 0;
}

static X509 *first_certificate(const struct buf *pem)
{
	auto_of(bio) BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	ERR_clear_error();
	return cert;
}

int tls_check_certificates(const char *option, const char *path, struct err *e)
{
	auto_buf struct buf pem = { 0 };
	int r = read_pem(option, path, &pem, e);
	if (r < 0)
		return r;
	auto_of(x509) X509 *cert = first_certificate(&pem);
	if (!cert)
		return err_set(e, -EINVAL, "%s: %s holds no certificate in PEM", option, path);
	return 0;
}

int tls_check_key(const char *option, const char *path, const char *cert_path, struct err *e)
{
	auto_buf struct buf pem = { 0 }, cert_pem = { 0 };
	int r = read_pem(option, path, &pem, e);
	if (r == 0)
		r = read_pem(option, cert_path, &cert_pem, e);
	if (r < 0)
		return r;
	auto_of(bio) BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	auto_of(pkey) EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	auto_of(x509) X509 *cert = first_certificate(&cert_pem);
	bool fits = key && cert && X509_check_private_key(cert, key) == 1;
	ERR_clear_error();
	if (!key)
		return err_set(
			e, -EINVAL, "%s: %s holds no private key in PEM without a passphrase", option, path);
	if (!fits)
		return err_set(e, -EINVAL, "%s: %s is not the key of %s", option, path, cert_path);
	return 0;
}
