/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tsdb/scratch_table.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LEAST_BYTES 4096

int scratch_table_open(struct scratch_table *t, const char *beside, size_t bytes, struct err *e)
{
	*t = (struct scratch_table){ 0 };
	int r = append_file_open_scratch(&t->file, beside, e);
	return r < 0 ? r : scratch_table_grow(t, MAX_OF(bytes, (size_t)LEAST_BYTES), e);
}

/* Space is taken from the disk before it is mapped: a full disk is an error here, not a signal at some later
 * store. */
static int extend(int fd, size_t from, size_t to)
{
	int r;
	do
		r = posix_fallocate(fd, (off_t)from, (off_t)(to - from));
	while (r == EINTR);
	return -r;
}

int scratch_table_grow(struct scratch_table *t, size_t bytes, struct err *e)
{
	if (bytes <= t->bytes)
		return 0;
	bytes = MAX_OF(bytes, 2 * t->bytes);
	int r = extend(t->file.fd, t->bytes, bytes);
	if (r < 0)
		return err_errno(e, r, "growing %s to %zu bytes", t->file.path, bytes);
	void *p = t->data ? mremap(t->data, t->bytes, bytes, MREMAP_MAYMOVE)
			  : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->file.fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %s", t->file.path);
	t->data = p;
	t->bytes = bytes;
	return 0;
}

void scratch_table_close(struct scratch_table *t)
{
	if (t->data)
		munmap(t->data, t->bytes);
	if (t->file.path)
		append_file_close(&t->file);
	*t = (struct scratch_table){ 0 };
}
