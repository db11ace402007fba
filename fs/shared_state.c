/* SPDX-License-Identifier: Apache-2.0 */
#include "fs/shared_state.h"

#include "fs/fd_store.h"
#include "fs/invalidate.h"
#include "fs/journal.h"
#include "fs/open_count.h"
#include "fs/suspects.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[8] = "thfsmem";

const char *const restart_reason_names[RESTART_REASONS] = { "signal", "exit", "hang", "upgrade" };

static size_t whole_pages(size_t n)
{
	return (n + 4095) / 4096 * 4096;
}

static size_t region_bytes(enum shared_region which)
{
	switch (which) {
	case SHARED_REGION_SLOTS: return (size_t)SHARED_SLOTS * SHARED_SLOT_BYTES;
	case SHARED_REGION_OWED: return invalidate_owed_bytes();
	case SHARED_REGION_KEPT: return fd_store_bytes();
	case SHARED_REGION_JOURNAL: return journal_bytes();
	case SHARED_REGION_OPENS: return open_count_bytes();
	case SHARED_REGION_SUSPECTS: return suspects_bytes();
	case SHARED_REGIONS: break;
	}
	return 0;
}

/* Fills in where everything is; the size of it all. */
static size_t lay_out(struct shared_head *h)
{
	size_t at = whole_pages(sizeof *h);
	memcpy(h->magic, magic, sizeof magic);
	h->layout = SHARED_LAYOUT;
	h->regions = SHARED_REGIONS;
	for (unsigned i = 0; i < SHARED_REGIONS; i++) {
		h->region[i].at = at;
		h->region[i].bytes = region_bytes(i);
		at += whole_pages(h->region[i].bytes);
	}
	return at;
}

static int map(struct shared_state *s, struct err *e)
{
	void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, -errno, "mapping %zu shared bytes", s->bytes);
	s->head = p;
	return 0;
}

int shared_state_create(const char *mountpoint, struct shared_state *out, struct err *e)
{
	struct shared_head *plan = xcalloc(1, sizeof *plan);
	struct shared_state s = { .bytes = lay_out(plan) };
	int r = 0;
	s.fd = memfd_create("thanosfs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s.fd < 0)
		r = err_errno(e, -errno, "making shared memory");
	else if (strlen(mountpoint) >= sizeof plan->mountpoint)
		r = err_set(e, -ENAMETOOLONG, "mount point %.128s... is too long", mountpoint);
	else if (ftruncate(s.fd, (off_t)s.bytes) < 0 ||
		 fcntl(s.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		r = err_errno(e, -errno, "making %zu bytes of shared memory", s.bytes);
	if (r == 0)
		r = map(&s, e);
	if (r == 0) {
		snprintf(plan->mountpoint, sizeof plan->mountpoint, "%s", mountpoint);
		memcpy(s.head, plan, sizeof *plan);
		*out = s;
	} else {
		shared_state_close(&s);
	}
	free(plan);
	return r;
}

/* What this program would have made, compared with what is there. */
static int check(const struct shared_head *h, size_t bytes, struct err *e)
{
	auto_free struct shared_head *want = xcalloc(1, sizeof *want);
	size_t want_bytes = lay_out(want);
	if (memcmp(h->magic, magic, sizeof magic) != 0)
		return err_set(e, -EBADMSG, "the shared memory is not a mount's");
	if (h->layout != want->layout || h->regions != want->regions)
		return err_set(e, -EBADMSG,
			"the mount's memory has layout %" PRIu32 " with %" PRIu32
			" regions, this version understands %" PRIu32 " with %" PRIu32,
			h->layout, h->regions, want->layout, want->regions);
	if (memcmp(h->region, want->region, sizeof want->region) != 0 || bytes != want_bytes)
		return err_set(e, -EBADMSG,
			"the mount's memory of %zu bytes is laid out in another way than this version's %zu",
			bytes, want_bytes);
	if (!memchr(h->mountpoint, 0, sizeof h->mountpoint))
		return err_set(e, -EBADMSG, "the mount's memory is damaged");
	return 0;
}

int shared_state_attach(int fd, struct shared_state *out, struct err *e)
{
	struct shared_state s = { .fd = fd };
	struct stat st;
	int r = 0;
	if (fstat(fd, &st) < 0)
		r = err_errno(e, -errno, "looking at the shared memory");
	else if (st.st_size < (off_t)sizeof *s.head || st.st_size > INT32_MAX)
		r = err_set(e, -EBADMSG, "the shared memory has %lld bytes", (long long)st.st_size);
	s.bytes = r == 0 ? (size_t)st.st_size : 0;
	if (r == 0)
		r = map(&s, e);
	if (r == 0)
		r = check(s.head, s.bytes, e);
	if (r < 0)
		shared_state_close(&s);
	else
		*out = s;
	return r;
}

void shared_state_close(struct shared_state *s)
{
	if (s->head)
		munmap(s->head, s->bytes);
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct shared_state){ .fd = -1 };
}

void *shared_state_region(const struct shared_state *s, enum shared_region which)
{
	return (uint8_t *)s->head + s->head->region[which].at;
}

void shared_state_say(struct shared_state *s, const char *words)
{
	snprintf(s->head->last_words, sizeof s->head->last_words, "%s", words);
}
