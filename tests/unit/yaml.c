/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/yaml.h"

#include "tests/support/test.h"

#include <errno.h>

static struct yaml_doc *parsed(const char *text)
{
	struct yaml_doc *y;
	struct err e;
	CHECK_OK(yaml_doc_parse("b.yaml", text, strlen(text), &y, &e), &e);
	return y;
}

static void check_refused(const char *text, const char *message)
{
	struct yaml_doc *y = NULL;
	struct err e = { .msg = "" };
	CHECK_INT(yaml_doc_parse("b.yaml", text, strlen(text), &y, &e), -EINVAL);
	CHECK_HAS(e.msg, message);
	CHECK(!y);
}

TEST(a_bucket_configuration_reads)
{
	auto_of(yaml_doc) struct yaml_doc *y =
		parsed("# a comment\ntype: FILESYSTEM\nconfig:\n  directory: \"/var/b\"\n"
		       "  list: [a, 2, {k: v}]\nprefix: ''\n");
	const struct yaml_node *root = yaml_root(y), *config, *list;
	struct err e;
	const char *s = NULL;

	CHECK_INT(yaml_get_str(root, "type", &s, &e), 1);
	CHECK_STR(s, "FILESYSTEM");
	CHECK_INT(yaml_get_map(root, "config", &config, &e), 1);
	CHECK_INT(config->line, 4);
	CHECK_INT(yaml_get_str(config, "directory", &s, &e), 1);
	CHECK_STR(s, "/var/b");
	CHECK_INT(yaml_get_list(config, "list", &list, &e), 1);
	CHECK_INT(list->len, 3);
	CHECK_STR(list->items[1]->text, "2");
	CHECK_INT(yaml_get_str(list->items[2], "k", &s, &e), 1);
	CHECK_STR(s, "v");
	CHECK_INT(yaml_get_str(root, "prefix", &s, &e), 1);
	CHECK_STR(s, "");
	CHECK_INT(root->weight, 16);
}

TEST(values_have_types)
{
	auto_of(yaml_doc) struct yaml_doc *y =
		parsed("yes: Yes\nno: 'false'\ni: -12\nlow: -9223372036854775808\nu: 18446744073709551615\n"
		       "d: 1h30m\nb: 10GB\ntext: 5\n");
	const struct yaml_node *root = yaml_root(y);
	struct err e;
	bool b = false;
	int64_t i = 0;
	uint64_t u = 0;
	const char *s = NULL;
	CHECK_INT(yaml_get_bool(root, "yes", &b, &e), 1);
	CHECK(b);
	CHECK_INT(yaml_get_bool(root, "no", &b, &e), 1);
	CHECK(!b);
	CHECK_INT(yaml_get_i64(root, "i", -12, 0, &i, &e), 1);
	CHECK_INT(i, -12);
	CHECK_INT(yaml_get_i64(root, "low", INT64_MIN, 0, &i, &e), 1);
	CHECK(i == INT64_MIN);
	CHECK_INT(yaml_get_u64(root, "u", &u, &e), 1);
	CHECK(u == UINT64_MAX);
	CHECK_INT(yaml_get_duration(root, "d", &i, &e), 1);
	CHECK_INT(i, 5400000);
	CHECK_INT(yaml_get_bytes(root, "b", &u, &e), 1);
	CHECK_INT(u, INT64_C(10) << 30);
	CHECK_INT(yaml_get_str(root, "text", &s, &e), 1);
	CHECK_STR(s, "5");
}

TEST(a_value_of_the_wrong_type_is_named_with_its_line)
{
	auto_of(yaml_doc) struct yaml_doc *y =
		parsed("b: maybe\ni: 1x\no: 010\nbig: 99999999999999999999\nneg: -1\nd: 5\n"
		       "size: much\nl: [1]\nm: {a: 1}\n");
	const struct yaml_node *root = yaml_root(y), *n;
	struct err e;
	bool b;
	int64_t i;
	uint64_t u;
	const char *s;
	CHECK_INT(yaml_get_bool(root, "b", &b, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:1: b is \"maybe\", not true or false");
	CHECK_INT(yaml_get_i64(root, "i", 0, 5, &i, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:2: i is \"1x\", not a whole number");
	CHECK_INT(yaml_get_i64(root, "o", 0, 50, &i, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:3: o is \"010\", not a whole number");
	CHECK_INT(yaml_get_i64(root, "big", 0, INT64_MAX, &i, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:4: big is 99999999999999999999, not from 0 to 9223372036854775807");
	CHECK_INT(yaml_get_u64(root, "big", &u, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:4: big is 99999999999999999999, which is too large");
	CHECK_INT(yaml_get_u64(root, "neg", &u, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:5: neg is \"-1\", not a whole number from 0");
	CHECK_INT(yaml_get_duration(root, "d", &i, &e), -EINVAL);
	CHECK_HAS(e.msg, "b.yaml:6: d: duration \"5\" is not");
	CHECK_INT(yaml_get_bytes(root, "size", &u, &e), -EINVAL);
	CHECK_HAS(e.msg, "b.yaml:7: size: size \"much\" is not");
	CHECK_INT(yaml_get_str(root, "l", &s, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:8: l is a list, not a text");
	CHECK_INT(yaml_get_list(root, "m", &n, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:9: m is a map, not a list");
	CHECK_INT(yaml_get_map(root, "b", &n, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:1: b is a plain value, not a map");
}

TEST(what_is_absent_or_null_leaves_the_value_alone)
{
	auto_of(yaml_doc) struct yaml_doc *y = parsed("a:\nb: ~\nc: null\nd: !!null ''\n");
	struct err e;
	const char *s = "before";
	CHECK_INT(yaml_get_str(yaml_root(y), "a", &s, &e), 0);
	CHECK_INT(yaml_get_str(yaml_root(y), "b", &s, &e), 0);
	CHECK_INT(yaml_get_str(yaml_root(y), "c", &s, &e), 0);
	CHECK_INT(yaml_get_str(yaml_root(y), "x", &s, &e), 0);
	CHECK_INT(yaml_get_str(NULL, "x", &s, &e), 0);
	CHECK_STR(s, "before");
}

TEST(quotes_and_tags_make_a_text_of_null)
{
	auto_of(yaml_doc) struct yaml_doc *y = parsed("a: 'null'\nb: !!str null\nc: ! ~\n");
	for (size_t i = 0; i < 3; i++)
		CHECK(!yaml_is_null(yaml_root(y)->items[i]));
}

TEST(an_empty_text_is_null)
{
	static const char *const table[] = { "", "\n", "# nothing\n", "---\n", "---\n...\n", "~" };
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		auto_of(yaml_doc) struct yaml_doc *y = parsed(table[i]);
		CHECK(yaml_is_null(yaml_root(y)));
	}
}

TEST(only_the_first_document_counts)
{
	auto_of(yaml_doc) struct yaml_doc *y = parsed("a: 1\n---\na: 2\nb: {\n");
	const char *s = NULL;
	struct err e;
	CHECK_INT(yaml_get_str(yaml_root(y), "a", &s, &e), 1);
	CHECK_STR(s, "1");
	CHECK_INT(yaml_root(y)->len, 1);
}

TEST(an_alias_is_what_its_anchor_names)
{
	auto_of(yaml_doc) struct yaml_doc *y = parsed("a: &x {k: v}\nb: *x\nc: &x [1]\nd: *x\n");
	const struct yaml_node *b = yaml_get(yaml_root(y), "b"), *d = yaml_get(yaml_root(y), "d");
	CHECK(b == yaml_get(yaml_root(y), "a"));
	CHECK_INT(d->kind, YAML_LIST);
	CHECK_INT(yaml_root(y)->weight, 1 + 4 + 4 + 3 + 3);
}

TEST(bad_yaml_is_refused_with_its_line)
{
	check_refused("a: 1\nb: [1,\nc: 2\n", "b.yaml:");
	check_refused("a: 1\na: 2\n", "b.yaml:2: key \"a\" is there twice");
	check_refused("x: {k: 1, l: 2,\n k: 3}\n", "b.yaml:2: key \"k\" is there twice");
	check_refused("a: 1\n? [x]\n: 2\n", "b.yaml:2: a key is a list or a map");
	check_refused("a: *nowhere\n", "b.yaml:1: there is no anchor &nowhere");
	check_refused("a: &a\n  - *a\n", "b.yaml:2: an alias stands inside what it stands for");
	check_refused("a: \"x\\0y\"\n", "b.yaml:1: a text holds a NUL");
	check_refused("a: !!binary aGk=\n", "b.yaml:1: tag tag:yaml.org,2002:binary is not supported");
	check_refused("a: !mine {}\n", "tag !mine is not supported");
	check_refused("a:\n\t- b\n", "b.yaml:2: not YAML");
	check_refused("a: \xff\n", "not YAML");
}

TEST(depth_is_bounded_with_and_without_aliases)
{
	for (int depth = YAML_MAX_DEPTH - 1; depth <= YAML_MAX_DEPTH + 1; depth++) {
		auto_buf struct buf b = { 0 };
		for (int i = 1; i < depth; i++)
			buf_add_u8(&b, '[');
		buf_add_u8(&b, 'x');
		for (int i = 1; i < depth; i++)
			buf_add_u8(&b, ']');
		if (depth <= YAML_MAX_DEPTH)
			yaml_doc_free(parsed(buf_str(&b)));
		else
			check_refused(buf_str(&b), "nested too deep");
	}
	auto_buf struct buf deep = { 0 }, chain = { 0 };
	for (int i = 0; i < 100000; i++)
		buf_add_u8(&deep, '[');
	check_refused(buf_str(&deep), "nested too deep");
	buf_add_str(&chain, "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++)
		buf_printf(&chain, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	check_refused(buf_str(&chain), "nested too deep");
}

TEST(aliases_do_not_explode)
{
	auto_buf struct buf b = { 0 };
	buf_add_str(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++) {
		buf_printf(&b, "a%d: &a%d [", i, i);
		for (int k = 0; k < 9; k++)
			buf_printf(&b, "*a%d%s", i - 1, k < 8 ? "," : "]\n");
	}
	check_refused(buf_str(&b), "there is too much in this document");
}

TEST(size_is_bounded)
{
	auto_buf struct buf b = { 0 }, anchors = { 0 };
	for (int i = 0; i <= YAML_MAX_NODES; i++)
		buf_add_str(&b, "- x\n");
	check_refused(buf_str(&b), "there is too much in this document");
	while (b.len <= YAML_MAX_BYTES)
		buf_add_str(&b, "# comment\n");
	check_refused(buf_str(&b), "too much for a configuration");
	for (int i = 0; i <= 1000; i++)
		buf_printf(&anchors, "- &a%d x\n", i);
	check_refused(buf_str(&anchors), "too many anchors");
}

TEST(an_unknown_key_is_named_with_the_likely_one)
{
	static const char *const known[] = { "directory", "access_key", NULL };
	auto_of(yaml_doc) struct yaml_doc *y = parsed("directory: x\nacces_key: y\n");
	auto_of(yaml_doc) struct yaml_doc *z = parsed("other: x\n");
	auto_of(yaml_doc) struct yaml_doc *fine = parsed("access_key: x\n");
	struct err e;
	CHECK_INT(yaml_check_keys(yaml_root(y), known, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:2: unknown key \"acces_key\"; did you mean \"access_key\"?");
	CHECK_INT(yaml_check_keys(yaml_root(z), known, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:1: unknown key \"other\"");
	CHECK_OK(yaml_check_keys(yaml_root(fine), known, &e), &e);
}

static void check_expanded(const char *text, const char *want)
{
	auto_buf struct buf b = { 0 };
	struct err e;
	CHECK_OK(yaml_expand_env("b.yaml", text, strlen(text), &b, &e), &e);
	CHECK_STR(buf_str(&b), want);
}

TEST(environment_variables_are_replaced)
{
	setenv("THANOSFS_TEST", "va$lue", 1);
	setenv("THANOSFS_EMPTY", "", 1);
	check_expanded("k: ${THANOSFS_TEST}\n", "k: va$lue\n");
	check_expanded("k: $(THANOSFS_TEST)${THANOSFS_TEST}", "k: va$lueva$lue");
	check_expanded("[${THANOSFS_EMPTY}]", "[]");
	check_expanded("$THANOSFS_TEST $ $$ ${ ${} ${a-b} $(x y) ${THANOSFS_TEST) ${THANOSFS_TEST", /* none of
												       them */
		"$THANOSFS_TEST $ $$ ${ ${} ${a-b} $(x y) ${THANOSFS_TEST) ${THANOSFS_TEST");
	check_expanded("", "");
}

TEST(a_variable_that_is_not_set_is_an_error_that_names_it)
{
	static const char text[] = "a: 1\nb: ${THANOSFS_UNSET}\n";
	auto_buf struct buf b = { 0 };
	struct err e;
	unsetenv("THANOSFS_UNSET");
	CHECK_INT(yaml_expand_env("b.yaml", text, strlen(text), &b, &e), -EINVAL);
	CHECK_STR(e.msg, "b.yaml:2: environment variable THANOSFS_UNSET is not set");
}

TEST(what_variables_expand_to_is_bounded)
{
	auto_buf struct buf value = { 0 }, text = { 0 }, b = { 0 };
	struct err e;
	for (int i = 0; i < 1000; i++)
		buf_add_str(&value, "0123456789");
	setenv("THANOSFS_LONG", buf_str(&value), 1);
	for (int i = 0; i < 200; i++)
		buf_add_str(&text, "${THANOSFS_LONG}");
	CHECK_INT(yaml_expand_env("b.yaml", buf_str(&text), text.len, &b, &e), -EFBIG);
}

TEST_MAIN()
