/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_passthrough DIRECTORY INDEX: what reads and writes on a mount cost, a line "NAME VALUE" each. In DIRECTORY a file is written,
 * read and removed; INDEX is a large file. "first" is a read with nothing of the file in the mount's own cache, while the local file
 * behind it is in the kernel's; "again" is the same once more. MB are millions of bytes, times are a call's, on average.
 */
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES (256u << 20)
#define CALL_BYTES (128u << 10)
#define PAGE       4096u
#define PAGES      8192u /* random ones, of a file */
#define APPENDS    20000u
#define SYNCS      100u

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void check(bool is_right, const char *what)
{
	if (!is_right)
		die(what);
}

static double us_each(int64_t begin_us, unsigned n)
{
	return (double)(clock_monotonic_us() - begin_us) / n;
}

static double mb_a_second(int64_t begin_us)
{
	return (double)FILE_BYTES / (double)(clock_monotonic_us() - begin_us);
}

static void forget_pages(int fd)
{
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
}

static double read_all(int fd, char *buf)
{
	int64_t begin = clock_monotonic_us();
	for (size_t at = 0; at < FILE_BYTES; at += CALL_BYTES)
		check(pread(fd, buf, CALL_BYTES, (off_t)at) == CALL_BYTES, "pread");
	return mb_a_second(begin);
}

static void sequential(const char *path)
{
	char *buf = xmalloc(CALL_BYTES);
	memset(buf, 'x', CALL_BYTES);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	check(fd >= 0, path);
	int64_t begin = clock_monotonic_us();
	for (size_t at = 0; at < FILE_BYTES; at += CALL_BYTES)
		check(write(fd, buf, CALL_BYTES) == CALL_BYTES, "write");
	printf("write-MB/s %.0f\n", mb_a_second(begin));
	forget_pages(fd);
	printf("read-first-MB/s %.0f\n", read_all(fd, buf));
	printf("read-again-MB/s %.0f\n", read_all(fd, buf));
	close(fd);
	unlink(path);
	free(buf);
}

static void appends(const char *path)
{
	char page[PAGE] = "record";
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
	check(fd >= 0, path);
	int64_t begin = clock_monotonic_us();
	for (unsigned i = 0; i < APPENDS; i++)
		check(write(fd, page, sizeof page) == sizeof page, "write");
	printf("append-us %.2f\n", us_each(begin, APPENDS));
	check(fsync(fd) == 0, "fsync");
	begin = clock_monotonic_us();
	for (unsigned i = 0; i < SYNCS; i++) {
		check(write(fd, page, sizeof page) == sizeof page, "write");
		check(fdatasync(fd) == 0, "fdatasync");
	}
	printf("append-sync-us %.1f\n", us_each(begin, SYNCS));
	close(fd);
	unlink(path);
}

static double read_pages(int fd, size_t pages)
{
	char page[PAGE];
	uint64_t seed = 1;
	int64_t begin = clock_monotonic_us();
	for (unsigned i = 0; i < PAGES; i++)
		check(pread(fd, page, PAGE, (off_t)(test_random(&seed) % pages * PAGE)) == PAGE, "pread");
	return us_each(begin, PAGES);
}

static double fault_pages(int fd, size_t pages)
{
	uint64_t seed = 2;
	unsigned sum = 0;
	const volatile uint8_t *p = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	check(p != MAP_FAILED, "mmap");
	int64_t begin = clock_monotonic_us();
	for (unsigned i = 0; i < PAGES; i++)
		sum += p[test_random(&seed) % pages * PAGE];
	double us = us_each(begin, PAGES);
	munmap((void *)(uintptr_t)p, pages * PAGE);
	return sum == 1 ? 0 : us; /* used, so that it is read */
}

static void random_pages(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	check(fd >= 0 && fstat(fd, &st) == 0, path);
	size_t pages = (size_t)st.st_size / PAGE;
	/* What is read ahead would be another figure. */
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) == 0, "posix_fadvise");
	forget_pages(fd);
	printf("index-pread-first-us %.2f\n", read_pages(fd, pages));
	printf("index-pread-again-us %.2f\n", read_pages(fd, pages));
	close(fd);
	fd = open(path, O_RDONLY);
	check(fd >= 0, path);
	forget_pages(fd);
	printf("index-fault-first-us %.2f\n", fault_pages(fd, pages));
	printf("index-fault-again-us %.2f\n", fault_pages(fd, pages));
	close(fd);
}

static double open_and_close(const char *path)
{
	int64_t begin = clock_monotonic_us();
	for (unsigned i = 0; i < APPENDS; i++)
		close(open(path, O_RDONLY));
	return us_each(begin, APPENDS);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: bench_passthrough DIRECTORY INDEX\n");
		return 2;
	}
	auto_free char *path = xasprintf("%s/bench", argv[1]);
	sequential(path);
	appends(path);
	random_pages(argv[2]);
	printf("open-close-us %.2f\n", open_and_close(argv[2]));
	return 0;
}
