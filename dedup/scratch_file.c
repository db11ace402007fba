/* SPDX-License-Identifier: Apache-2.0 */
/* Unnamed files: O_TMPFILE, or a name that is taken away at once where the file system can't do that. */
#include "dedup/scratch_file.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int scratch_file_open(const char *dir, int *fd, struct err *e)
{
	*fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (*fd >= 0)
		return 0;
	auto_free char *path = xasprintf("%s/.scratch-XXXXXX", dir);
	*fd = mkostemp(path, O_CLOEXEC);
	if (*fd < 0)
		return err_errno(e, -errno, "making a scratch file in %s", dir);
	unlink(path);
	return 0;
}

int scratch_file_map(const char *dir, size_t bytes, void **out, struct err *e)
{
	auto_close_fd int fd = -1;
	int r = scratch_file_open(dir, &fd, e);
	if (r < 0)
		return r;
	r = -posix_fallocate(fd, 0, (off_t)bytes);
	if (r < 0)
		return err_errno(e, r, "taking %zu bytes for a scratch file in %s", bytes, dir);
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping a scratch file of %zu bytes in %s", bytes, dir);
	*out = p;
	return 0;
}
