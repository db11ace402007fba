/* SPDX-License-Identifier: Apache-2.0 */
/* PEM files as options name them, looked at before they are used: what is wrong with one is said at the start. */
#ifndef NET_TLS_FILES_H
#define NET_TLS_FILES_H

#include "lib/base/err.h"

/* 0, or -EINVAL that names the option and the file: it can't be read, or holds no certificate. */
int tls_check_certificates(const char *option, const char *path, struct err *e);

/* The same of a private key without a passphrase, which must be the one that the certificate is for. */
int tls_check_key(const char *option, const char *path, const char *cert_path, struct err *e);

#endif
