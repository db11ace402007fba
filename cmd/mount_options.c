/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mount_options.h"

#include "lib/base/nearest.h"

#include <errno.h>

/* Options that mount(8) and fstab(5) may hand to any filesystem's helper, and that change nothing about this
 * one. */
static bool is_generic(const char *option)
{
	static const char *const words[] = { "rw", "defaults", "auto", "noauto", "user", "nouser", "users",
		"owner", "group", "nofail", "_netdev", "exec", "noexec", "suid", "nosuid", "dev", "nodev",
		"sync", "async", "dirsync", "atime", "noatime", "diratime", "nodiratime", "relatime",
		"norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "nonempty", "mand",
		"nomand", "silent", "loud", "iversion", "noiversion", NULL };
	for (size_t i = 0; words[i]; i++)
		if (!strcmp(option, words[i]))
			return true;
	return !strncmp(option, "x-", 2) || !strncmp(option, "X-", 2) || !strncmp(option, "comment=", 8) ||
	       !strncmp(option, "user=", 5) || !strncmp(option, "uhelper=", 8) ||
	       !strncmp(option, "helper=", 7);
}

static bool is_for_libfuse(const char *option)
{
	static const char *const words[] = { "default_permissions", "auto_unmount", NULL };
	static const char *const prefixes[] = { "fsname=", "subtype=", "max_read=", NULL };
	for (size_t i = 0; words[i]; i++)
		if (!strcmp(option, words[i]))
			return true;
	for (size_t i = 0; prefixes[i]; i++)
		if (!strncmp(option, prefixes[i], strlen(prefixes[i])) && option[strlen(prefixes[i])])
			return true;
	return false;
}

static int unknown_option(const char *option, struct err *e)
{
	static const char *const known[] = { "allow_other", "allow_root", "ro", "rw", "debug",
		"default_permissions", "auto_unmount", "noauto", "_netdev", "nofail", "noexec", "nosuid",
		"nodev", "defaults", NULL };
	struct nearest near = { .typed = option };
	for (size_t i = 0; known[i]; i++)
		nearest_try(&near, known[i]);
	if (near.best)
		return err_set(
			e, -EINVAL, "flag -o: unknown option \"%.64s\"; did you mean %s?", option, near.best);
	return err_set(e, -EINVAL, "flag -o: unknown option \"%.64s\"", option);
}

/* What thanosfs itself acts on, and the field it sets. */
static const struct own_option {
	const char *word;
	size_t field;
	bool value;
} own_options[] = {
	{ "allow_other", offsetof(struct mount_flags, allow_other), true },
	{ "allow_root", offsetof(struct mount_flags, allow_root), true },
	{ "ro", offsetof(struct mount_flags, read_only), true },
	{ "rw", offsetof(struct mount_flags, read_only), false },
	{ "debug", offsetof(struct mount_flags, debug), true },
};

static const struct own_option *find_own(const char *option)
{
	for (size_t i = 0; i < ARRAY_LEN(own_options); i++)
		if (!strcmp(option, own_options[i].word))
			return &own_options[i];
	return NULL;
}

bool mount_option_is_known(const char *option)
{
	return find_own(option) || is_for_libfuse(option) || is_generic(option);
}

int mount_options_sort(struct mount_flags *f, struct err *e)
{
	size_t kept = 0, i = 0;
	int r = 0;
	for (; i < f->fuse_options.len && r == 0; i++) {
		char *option = f->fuse_options.data[i];
		if (is_for_libfuse(option)) {
			f->fuse_options.data[kept++] = option;
			continue;
		}
		const struct own_option *own = find_own(option);
		if (own)
			*(bool *)((char *)f + own->field) = own->value;
		else if (!is_generic(option))
			r = unknown_option(option, e);
		free(option);
	}
	for (; i < f->fuse_options.len; i++)
		f->fuse_options.data[kept++] = f->fuse_options.data[i];
	f->fuse_options.len = kept;
	if (r == 0 && f->allow_other && f->allow_root)
		return err_set(e, -EINVAL, "flag -o: allow_other and allow_root exclude each other");
	return r;
}
