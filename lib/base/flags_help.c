/* SPDX-License-Identifier: Apache-2.0 */
/* What a flag table says about itself: the help, and a list for programs. */
#include "lib/base/flags.h"

#define WIDTH       80
#define HELP_COLUMN 30

void flags_wrap(struct buf *out, const char *text, size_t indent, size_t width)
{
	size_t column = 0;
	for (const char *p = text + strspn(text, " "); *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");
		if (column && column + 1 + n > width) {
			buf_add_u8(out, '\n');
			column = 0;
		}
		if (column)
			buf_add_u8(out, ' ');
		else
			buf_printf(out, "%*s", (int)indent, "");
		column += column ? 1 : indent;
		buf_add(out, p, n);
		column += n;
		p += n;
	}
	if (column)
		buf_add_u8(out, '\n');
}

static void add_form(const struct flag *f, char letter, const char *name, struct buf *line)
{
	buf_add_str(line, "  ");
	if (letter)
		buf_printf(line, "-%c%s", letter, name ? ", " : "");
	else
		buf_add_str(line, "    ");
	if (name)
		buf_printf(line, "--%s%s", f->type == FLAG_BOOL && f->default_text ? "[no-]" : "", name);
	if (f->type != FLAG_BOOL)
		buf_printf(line, "%s%s", name ? "=" : " ", f->value_name);
	if (f->type == FLAG_STRINGS)
		buf_add_str(line, " ...");
}

static void add_words(const struct flag *f, struct buf *words)
{
	buf_add_str(words, f->help);
	if (f->type == FLAG_ENUM) {
		buf_add_str(words, " One of");
		for (size_t i = 0; f->choices[i]; i++)
			buf_printf(words, "%s%s", i ? ", " : " ", f->choices[i]);
		buf_add_u8(words, '.');
	}
	if (f->default_text && f->type != FLAG_BOOL)
		buf_printf(words, " (default: %s)", f->default_text);
}

void flags_help(const struct flag_set *set, struct buf *out)
{
	buf_printf(out, "usage: %s\n\n", set->usage);
	flags_wrap(out, set->summary, 0, WIDTH);
	buf_add_str(out, "\nFlags:\n");
	for (const struct flag *f = set->table; f->name || f->letter; f++) {
		if (f->is_hidden)
			continue;
		auto_buf struct buf line = { 0 }, words = { 0 }, wrapped = { 0 };
		if (f->alias) {
			add_form(f, f->letter, f->name, out);
			buf_add_u8(out, '\n');
			add_form(f, 0, f->alias, &line);
		} else {
			add_form(f, f->letter, f->name, &line);
		}
		add_words(f, &words);
		flags_wrap(&wrapped, buf_str(&words), HELP_COLUMN, WIDTH);
		buf_add(out, line.data, line.len);
		if (line.len + 2 > HELP_COLUMN) {
			buf_add_u8(out, '\n');
			buf_add(out, wrapped.data, wrapped.len);
		} else { /* the words begin beside the flag */
			buf_printf(out, "%*s", (int)(HELP_COLUMN - line.len), "");
			buf_add(out, wrapped.data + HELP_COLUMN, wrapped.len - HELP_COLUMN);
		}
	}
}

void flags_list(const struct flag_set *set, struct buf *out)
{
	for (const struct flag *f = set->table; f->name || f->letter; f++) {
		if (f->is_hidden)
			continue;
		const char *bar = "";
		if (f->letter) {
			buf_printf(out, "-%c", f->letter);
			bar = "|";
		}
		if (f->name) {
			buf_printf(out, "%s--%s", bar, f->name);
			bar = "|";
		}
		if (f->name && f->type == FLAG_BOOL)
			buf_printf(out, "|--no-%s", f->name);
		if (f->alias)
			buf_printf(out, "%s--%s", bar, f->alias);
		buf_printf(out, "\t%s\t", f->type == FLAG_BOOL ? "" : f->value_name);
		for (size_t i = 0; f->type == FLAG_ENUM && f->choices[i]; i++)
			buf_printf(out, "%s%s", i ? "|" : "", f->choices[i]);
		buf_add_u8(out, '\n');
	}
}
