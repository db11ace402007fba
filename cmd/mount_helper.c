/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mount_helper.h"

#include "cmd/command.h"
#include "cmd/mount_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define STATUS_CALLED_WRONGLY 1
#define STATUS_NOT_MOUNTED    32

struct helper {
	const char *source, *directory;
	struct flag_strings *out;
	struct buf fuse_options;
	bool is_sloppy, is_fake, has_data_dir;
};

bool mount_helper_is_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
	return !strcmp(name, "mount.thanosfs") || !strcmp(name, "mount.fuse.thanosfs");
}

static void add(struct flag_strings *to, char *owned)
{
	vec_push(to, owned);
}

/* The flag that an option means by its first n bytes. What steers the program itself, not the mount, is none. */
static const struct flag *find_flag(const char *option, size_t n)
{
	static const char *const own[] = { "help", "version", "daemon", NULL };
	for (size_t i = 0; own[i]; i++)
		if (strlen(own[i]) == n && !strncmp(own[i], option, n))
			return NULL;
	for (const struct flag *f = mount_flag_set.table; f->name || f->letter; f++)
		if ((f->name && strlen(f->name) == n && !strncmp(f->name, option, n)) ||
			(f->alias && strlen(f->alias) == n && !strncmp(f->alias, option, n)))
			return f;
	return NULL;
}

static int take_option(struct helper *h, const char *option, size_t n, struct err *e)
{
	const char *equals = memchr(option, '=', n);
	size_t name_len = equals ? (size_t)(equals - option) : n;
	const struct flag *flag = find_flag(option, name_len);
	bool is_negated = !flag && !equals && n > 3 && !strncmp(option, "no-", 3) &&
			  (flag = find_flag(option + 3, n - 3)) && flag->type == FLAG_BOOL;
	if (flag && flag->type == FLAG_BOOL && equals)
		return err_set(e, -EINVAL, "option %.*s takes no value", (int)name_len, option);
	if (flag && flag->type != FLAG_BOOL && !equals)
		return err_set(e, -EINVAL, "option %.*s needs a value", (int)n, option);
	if (flag && (flag->type == FLAG_BOOL || equals)) {
		add(h->out, xasprintf("--%.*s", (int)n, option));
		h->has_data_dir |= flag->name && !strcmp(flag->name, "data-dir");
	} else if (is_negated) {
		add(h->out, xasprintf("--%.*s", (int)n, option));
	} else {
		auto_free char *word = xstrndup(option, n);
		if (!h->is_sloppy || mount_option_is_known(word))
			buf_printf(&h->fuse_options, "%s%s", h->fuse_options.len ? "," : "", word);
	}
	return 0;
}

static int take_options(struct helper *h, const char *text, struct err *e)
{
	int r = 0;
	while (*text && r == 0) {
		size_t n = strcspn(text, ",");
		if (n > 0)
			r = take_option(h, text, n, e);
		text += n + (text[n] == ',');
	}
	return r;
}

/* "/mnt/thanos" as one name, as systemd escapes paths: "mnt-thanos". */
static char *data_dir_for(const char *directory)
{
	struct buf b = { 0 };
	buf_add_str(&b, MOUNT_HELPER_DATA_PARENT "/");
	const char *p = directory + strspn(directory, "/");
	if (!*p)
		buf_add_u8(&b, '-');
	for (; *p; p++) {
		if (*p == '/') {
			if (p[1] && p[1] != '/')
				buf_add_u8(&b, '-');
		} else if (*p == '-' || *p == '\\') {
			buf_printf(&b, "\\x%02x", (unsigned char)*p);
		} else {
			buf_add_u8(&b, (uint8_t)*p);
		}
	}
	buf_str(&b);
	return (char *)b.data;
}

/* Options count in the order they are given, and -s for all of them: so it is looked for first. */
static int take_arguments(struct helper *h, int argc, char *const *argv, struct err *e)
{
	int r = 0;
	for (int i = 1; i < argc; i++)
		h->is_sloppy |= argv[i][0] == '-' && argv[i][1] != 'o' && strchr(argv[i], 's');
	for (int i = 1; i < argc && r == 0; i++) {
		const char *a = argv[i];
		if (a[0] != '-' || !a[1]) {
			if (h->directory)
				return err_set(e, -EINVAL, "\"%.64s\" is too much", a);
			*(h->source ? &h->directory : &h->source) = a;
			continue;
		}
		if (a[1] == 'o' || a[1] == 't' || a[1] == 'N') {
			const char *value = a[2] ? a + 2 : i + 1 < argc ? argv[++i] : NULL;
			if (!value)
				return err_set(e, -EINVAL, "-%c needs a value", a[1]);
			if (a[1] == 'o')
				r = take_options(h, value, e);
			continue;
		}
		if (a[1 + strspn(a + 1, "sfnvrw")])
			return err_set(e, -EINVAL, "unknown argument %.64s", a);
		h->is_fake |= strchr(a, 'f') != NULL;
		if (strchr(a, 'r'))
			r = take_options(h, "ro", e);
	}
	if (r == 0 && !h->directory)
		return err_set(e, -EINVAL, "the %s is missing",
			h->source ? "mount point" : "bucket's configuration file");
	return r;
}

int mount_helper_arguments(
	int argc, char *const *argv, struct flag_strings *out, bool *is_fake, struct err *e)
{
	struct helper h = { .out = out };
	add(out, xstrdup("mount"));
	add(out, xstrdup("--daemon"));
	int r = take_arguments(&h, argc, argv, e);
	if (r == 0) {
		add(out, xasprintf("--objstore.config-file=%s", h.source));
		if (!h.has_data_dir) {
			auto_free char *dir = data_dir_for(h.directory);
			add(out, xasprintf("--data-dir=%s", dir));
		}
		if (h.fuse_options.len)
			add(out, xasprintf("-o%s", buf_str(&h.fuse_options)));
		add(out, xstrdup("--"));
		add(out, xstrdup(h.directory));
	}
	buf_fini(&h.fuse_options);
	*is_fake = h.is_fake;
	return r;
}

int mount_helper_run(int argc, char **argv)
{
	struct flag_strings arguments = { 0 };
	struct err e = { .msg = "" };
	bool is_fake = false;
	int status = 0;
	if (mount_helper_arguments(argc, argv, &arguments, &is_fake, &e) < 0) {
		fprintf(stderr, "mount.thanosfs: %s\n", e.msg);
		status = STATUS_CALLED_WRONGLY;
	} else if (!is_fake) {
		int n = (int)arguments.len;
		vec_push(&arguments, (char *)NULL);
		status = cmd_mount(n, arguments.data) ? STATUS_NOT_MOUNTED : 0;
	}
	vec_each (a, &arguments)
		free(*a);
	vec_fini(&arguments);
	return status;
}
