/* SPDX-License-Identifier: Apache-2.0 */
/* No YAML that describes a bucket looks like a reference: that would be a word, not a map. */
#include "cmd/mount_secret.h"

#include "lib/base/file.h"
#include "lib/base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FLAG "--objstore.config"

/* The descriptor of "fd:N"; -1: the text is something else. */
static int reference_fd(const char *text)
{
	if (strncmp(text, "fd:", 3) != 0 || !isdigit((unsigned char)text[3]))
		return -1;
	char *rest;
	unsigned long fd = strtoul(text + 3, &rest, 10);
	return *rest || fd > INT_MAX ? -1 : (int)fd;
}

static char *find_value(int argc, char **argv, const char *config)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		char *value = !strncmp(argv[i], FLAG "=", sizeof FLAG) ? argv[i] + sizeof FLAG
			      : !strcmp(argv[i], FLAG) && i + 1 < argc ? argv[i + 1]
								       : NULL;
		if (value && !strcmp(value, config))
			return value;
	}
	return NULL;
}

/* Not closed on exec: that is what it is for. Sealed, so that every worker reads the same. */
static int store(const char *config, struct err *e)
{
	int fd = memfd_create("objstore.config", MFD_ALLOW_SEALING);
	if (fd < 0)
		return err_errno(e, -errno, "making a file in memory for " FLAG);
	int r = file_write_all(fd, config, strlen(config));
	if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r == 0)
		return fd;
	close(fd);
	return err_errno(e, r, "keeping " FLAG " in memory");
}

int mount_secret_hide(int argc, char **argv, const char *config, struct err *e)
{
	char reference[16];
	char *value = config && reference_fd(config) < 0 ? find_value(argc, argv, config) : NULL;
	size_t n = value ? strlen(value) : 0;
	if (n < sizeof reference) /* describes no bucket, let alone a secret */
		return 0;
	int fd = store(config, e);
	if (fd < 0)
		return fd;
	snprintf(reference, sizeof reference, "fd:%d", fd);
	explicit_bzero(value, n);
	memcpy(value, reference, strlen(reference));
	return 0;
}

int mount_secret_take(char **config, struct err *e)
{
	int fd = *config ? reference_fd(*config) : -1;
	if (fd < 0)
		return 0;
	char path[32];
	auto_buf struct buf text = { 0 };
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* a file position of one's own */
	int r = file_read(path, YAML_MAX_BYTES, &text, e);
	if (r < 0)
		return err_wrap(e, r, "flag " FLAG);
	close(fd);
	free(*config);
	*config = xstrdup(buf_str(&text));
	return 0;
}
