/* SPDX-License-Identifier: Apache-2.0 */
#include "store/relabel.h"

#include "lib/base/buf.h"
#include "store/relabel_config.h"
#include "tests/support/test.h"

#include <errno.h>

/* "a=1,b=2" as labels; a value may hold anything but a comma. */
static void set_labels(struct labels *l, const char *text)
{
	auto_free char *copy = xstrdup(text);
	char *save = NULL;
	for (char *pair = strtok_r(copy, ",", &save); pair; pair = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(pair, '=');
		*equals = 0;
		labels_set(l, pair, equals + 1);
	}
}

static const char *as_text(const struct labels *l, struct buf *out)
{
	for (size_t i = 0; i < l->len; i++)
		buf_printf(out, "%s%s=%s", i ? "," : "", l->data[i].name, l->data[i].value);
	return buf_str(out);
}

static struct relabel_configs *parsed(const char *yaml)
{
	struct relabel_configs *r;
	struct err e;
	CHECK_OK(relabel_parse("r.yaml", yaml, strlen(yaml), &r, &e), &e);
	return r;
}

static void check_relabelled(const char *yaml, const char *before, const char *after)
{
	auto_of(relabel) struct relabel_configs *r = parsed(yaml);
	struct labels l = { 0 };
	auto_buf struct buf b = { 0 };
	set_labels(&l, before);
	bool is_kept = relabel_apply(r, &l);
	CHECK_INT(is_kept, after != NULL);
	if (after)
		CHECK_STR(as_text(&l, &b), after);
	labels_fini(&l);
}

#define DROPPED NULL

TEST(replace_writes_what_the_template_says)
{
	check_relabelled("[{source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'x${1}-$1'}]",
		"a=fox,b=1", "a=fox,b=1,d=xox-ox");
	check_relabelled(
		"[{source_labels: [a, b], regex: '(.*);(.*)', target_label: c, replacement: '$2/$1'}]",
		"a=1,b=2", "a=1,b=2,c=2/1");
	check_relabelled("[{source_labels: [a, none, b], separator: '-', target_label: c}]", "a=1,b=2",
		"a=1,b=2,c=1--2");
	check_relabelled(
		"[{source_labels: [a, b], separator: , target_label: c}]", "a=1,b=2", "a=1,b=2,c=12");
}

TEST(replace_without_a_match_does_nothing)
{
	check_relabelled("[{source_labels: [a], regex: ox, target_label: d}]", "a=fox", "a=fox");
	check_relabelled(
		"[{source_labels: [a], regex: , target_label: a, replacement: x}]", "a=fox", "a=fox");
	check_relabelled(
		"[{source_labels: [none], regex: , target_label: a, replacement: x}]", "a=fox", "a=x");
}

TEST(replace_needs_no_source_and_an_empty_result_removes_the_label)
{
	check_relabelled("[{target_label: c, replacement: fixed}]", "a=1", "a=1,c=fixed");
	check_relabelled("[{target_label: a, replacement: ''}]", "a=1,b=2", "b=2");
	check_relabelled("[{target_label: a, replacement: }]", "a=1,b=2", "b=2");
	check_relabelled("[{source_labels: [none], target_label: a}]", "a=1,b=2", "b=2");
}

TEST(the_target_may_be_a_template_too)
{
	check_relabelled(
		"[{source_labels: [a], regex: '(.*)=(.*)', target_label: 'x_${1}', replacement: '$2'}]",
		"a=k=v", "a=k=v,x_k=v");
	check_relabelled(
		"[{source_labels: [none], target_label: '$1', replacement: v}]", "a=1", "a=1"); /* no name */
}

TEST(keep_and_drop_decide_by_the_joined_values)
{
	check_relabelled(
		"[{source_labels: [cluster], regex: 'eu-.*', action: keep}]", "cluster=eu-1", "cluster=eu-1");
	check_relabelled(
		"[{source_labels: [cluster], regex: 'eu-.*', action: keep}]", "cluster=us-1", DROPPED);
	check_relabelled("[{source_labels: [cluster], regex: 'eu', action: keep}]", "cluster=eu-1", DROPPED);
	check_relabelled(
		"[{source_labels: [cluster], regex: 'eu-.*', action: drop}]", "cluster=eu-1", DROPPED);
	check_relabelled(
		"[{source_labels: [cluster], regex: 'eu-.*', action: DROP}]", "cluster=us-1", "cluster=us-1");
	check_relabelled("[{source_labels: [a, b], regex: 'x;y', action: drop}]", "a=x,b=y", DROPPED);
	check_relabelled("[{source_labels: [none], regex: '', action: drop}]", "a=x", DROPPED);
	check_relabelled("[{action: keep}]", "a=x", "a=x");
	check_relabelled(
		"[{source_labels: [__block_id], regex: '01ARZ3NDEKTSV4RRFFQ69G5FAV|X', action: keep}]",
		"__block_id=01ARZ3NDEKTSV4RRFFQ69G5FAV", "__block_id=01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

TEST(a_dot_matches_a_newline)
{
	check_relabelled("[{source_labels: [a], regex: 'x.y', action: drop}]", "a=x\ny", DROPPED);
}

TEST(keepequal_and_dropequal_compare_with_a_label)
{
	check_relabelled("[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=1", "a=1,b=1");
	check_relabelled("[{source_labels: [a], target_label: b, action: keepequal}]", "a=1,b=2", DROPPED);
	check_relabelled("[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=1", DROPPED);
	check_relabelled("[{source_labels: [a], target_label: b, action: dropequal}]", "a=1,b=2", "a=1,b=2");
	check_relabelled("[{source_labels: [x], target_label: y, action: dropequal}]", "a=1",
		DROPPED); /* both empty */
}

TEST(the_hash_is_the_end_of_an_md5)
{
	/* Values of md5sum, and of RFC 1321's test suite for "" and "a". */
	CHECK(relabel_hash("", 0) == UINT64_C(0xe9800998ecf8427e));
	CHECK(relabel_hash("a", 1) == UINT64_C(0x31c399e269772661));
	CHECK(relabel_hash("foo;bar", 7) == UINT64_C(0xddadc4ed9df31f3e));
}

TEST(hashmod_shards_as_prometheus_does)
{
	static const char yaml[] = "[{source_labels: [c], target_label: d, modulus: 1000, action: hashmod}]";
	check_relabelled(yaml, "c=baz", "c=baz,d=976"); /* two known results of Prometheus' own */
	check_relabelled(yaml, "c=foo\nbar", "c=foo\nbar,d=734");
	check_relabelled(yaml, "c=a", "c=a,d=697");
	check_relabelled("[{source_labels: [a, b], target_label: d, modulus: 8, action: hashmod}]",
		"a=foo,b=bar", "a=foo,b=bar,d=6");
	check_relabelled(
		"[{source_labels: [a], target_label: d, modulus: 18446744073709551615, action: hashmod}]",
		"a=a", "a=a,d=3585878926028121697");
	check_relabelled("- {source_labels: [__block_id], target_label: shard, modulus: 8, action: hashmod}\n"
			 "- {source_labels: [shard], regex: 4, action: keep}\n",
		"__block_id=01ARZ3NDEKTSV4RRFFQ69G5FAV", "__block_id=01ARZ3NDEKTSV4RRFFQ69G5FAV,shard=4");
}

TEST(labelmap_copies_labels_to_new_names)
{
	check_relabelled("[{regex: 'x_(.*)', action: labelmap}]", "a=1,x_b=2,x_a=3", "a=3,b=2,x_a=3,x_b=2");
	check_relabelled(
		"[{regex: '(.*)', replacement: 'x_$1', action: labelmap}]", "a=1,b=2", "a=1,b=2,x_a=1,x_b=2");
	check_relabelled(
		"[{regex: 'x(.*)', action: labelmap}]", "x=1", "x=1"); /* not to a name without letters */
}

TEST(labeldrop_and_labelkeep_go_by_names)
{
	check_relabelled("[{regex: 'b.*', action: labeldrop}]", "a=1,b=2,b1=3,c=4", "a=1,c=4");
	check_relabelled("[{regex: 'b.*', action: labelkeep}]", "a=1,b=2,b1=3,c=4", "b=2,b1=3");
	check_relabelled("[{regex: '.*', action: labeldrop}]", "a=1,b=2", "");
}

TEST(cases_change_with_lowercase_and_uppercase)
{
	check_relabelled("[{source_labels: [a], target_label: b, action: lowercase}]", "a=F\xc3\x96O",
		"a=F\xc3\x96O,b=f\xc3\xb6o");
	check_relabelled(
		"[{source_labels: [a, b], target_label: b, action: Uppercase}]", "a=x,b=y", "a=x,b=X;Y");
	check_relabelled("[{source_labels: [none], target_label: a, action: lowercase}]", "a=x", "");
}

TEST(label_names_may_be_utf8)
{
	check_relabelled("[{source_labels: ['h\xc3\xa4.x'], target_label: 'a b'}]", "h\xc3\xa4.x=1",
		"a b=1,h\xc3\xa4.x=1");
}

TEST(steps_follow_each_other)
{
	check_relabelled("- {source_labels: [a], regex: 'f(.*)', target_label: b}\n"
			 "- {source_labels: [b], regex: 'o+', target_label: c, replacement: many}\n"
			 "- {regex: b, action: labeldrop}\n",
		"a=foo", "a=foo,c=many");
}

TEST(no_configuration_keeps_everything)
{
	struct labels l = { 0 };
	CHECK(relabel_apply(NULL, &l));
	check_relabelled("", "a=1", "a=1");
	check_relabelled("[]", "a=1", "a=1");
}

TEST(labels_do_not_grow_without_end)
{
	auto_buf struct buf twice = { 0 }, names = { 0 };
	for (int i = 0; i < 100; i++) {
		buf_add_str(&twice, "- {source_labels: [a], target_label: a, replacement: '$1$1'}\n");
		buf_printf(&names, "- {regex: '(.*)', replacement: 'x%d_$1', action: labelmap}\n", i);
	}
	auto_of(relabel) struct relabel_configs *r = parsed(buf_str(&twice)), *m = parsed(buf_str(&names));
	struct labels l = { 0 };
	labels_set(&l, "a", "x");
	CHECK(relabel_apply(r, &l));
	CHECK_INT(strlen(labels_get(&l, "a")), 65536);
	CHECK(relabel_apply(m, &l));
	CHECK_INT(l.len, 1024);
	labels_fini(&l);
}

TEST(errors_name_line_entry_and_field)
{
	static const struct {
		const char *yaml, *message;
	} table[] = {
		{ "a: 1", "r.yaml:1: is not a list of relabel_config" },
		{ "text", "r.yaml:1: is not a list of relabel_config" },
		{ "- {}\n", "r.yaml:1: relabel_config[0]: target_label is missing: action replace needs it" },
		{ "- {action: keep}\n- 5\n", "r.yaml:2: relabel_config[1] is not a map" },
		{ "-\n", "relabel_config[0] is not a map" },
		{ "- {action: keep}\n- action: shout\n",
			"r.yaml:2: relabel_config[1]: action \"shout\" is unknown" },
		{ "- {action: }\n", "relabel_config[0]: action \"\" is unknown" },
		{ "- {action: [keep]}\n", "relabel_config[0]: action is not a text" },
		{ "- action: keep\n  regexp: x\n",
			"r.yaml:2: unknown key \"regexp\"; did you mean \"regex\"?" },
		{ "- action: keep\n  regex: '('\n", "r.yaml:2: relabel_config[0]: regex is not usable" },
		{ "- {action: keep, source_labels: a}\n", "relabel_config[0]: source_labels is not a list" },
		{ "- {action: keep, source_labels: [a, '']}\n",
			"relabel_config[0]: source_labels has an entry (number 1) that is no label name" },
		{ "- {action: keep, source_labels: [[a]]}\n", "source_labels has an entry (number 0)" },
		{ "- {action: hashmod, target_label: a}\n",
			"modulus is missing or 0: action hashmod needs it" },
		{ "- {action: hashmod, target_label: a, modulus: 0}\n", "modulus is missing or 0" },
		{ "- {action: hashmod, target_label: a, modulus: -1}\n",
			"modulus is -1, not a whole number from 0" },
		{ "- {action: hashmod, target_label: a, modulus: [1]}\n",
			"modulus is a list or a map, not a whole number" },
		{ "- {action: hashmod, modulus: 5}\n", "target_label is missing: action hashmod needs it" },
		{ "- {action: lowercase}\n", "target_label is missing: action lowercase needs it" },
		{ "- {action: uppercase, target_label: ''}\n",
			"target_label is missing: action uppercase needs it" },
		{ "- {action: uppercase, target_label: a, replacement: x}\n",
			"replacement can't be set: action uppercase has no use for it" },
		{ "- {action: keepequal, source_labels: [a]}\n",
			"target_label is missing: action keepequal needs it" },
		{ "- {action: dropequal, target_label: a, regex: '(.*)'}\n",
			"regex can't be set: action dropequal has no use for it" },
		{ "- {action: keepequal, target_label: a, separator: '-'}\n", "separator can't be set" },
		{ "- {action: keepequal, target_label: a, modulus: 1}\n", "modulus can't be set" },
		{ "- {action: labeldrop, source_labels: [a]}\n",
			"source_labels can't be set: action labeldrop" },
		{ "- {action: labelkeep, target_label: a}\n", "target_label can't be set" },
		{ "- {action: labelkeep, replacement: a}\n", "replacement can't be set" },
		{ "- {action: labelmap, replacement: ''}\n", "replacement is no label name" },
		{ "- {target_label: !!str [}", "r.yaml:1: " },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct relabel_configs *r = NULL;
		struct err e = { .msg = "" };
		CHECK_INT(relabel_parse("r.yaml", table[i].yaml, strlen(table[i].yaml), &r, &e), -EINVAL);
		CHECK_HAS(e.msg, table[i].message);
		CHECK(!r);
	}
}

TEST(unused_fields_with_their_default_are_no_error)
{
	check_relabelled("[{action: labeldrop, regex: b, separator: ';', replacement: '$1', modulus: 0, "
			 "target_label: ''}]",
		"a=1,b=2", "a=1");
	check_relabelled(
		"[{action: lowercase, source_labels: [a], target_label: a, replacement: $1}]", "a=X", "a=x");
}

TEST(the_number_of_entries_and_sources_is_bounded)
{
	auto_buf struct buf entries = { 0 }, sources = { 0 }, longer = { 0 };
	struct relabel_configs *r;
	struct err e;
	for (int i = 0; i < 1001; i++)
		buf_add_str(&entries, "- {action: keep}\n");
	CHECK_INT(relabel_parse("r.yaml", buf_str(&entries), entries.len, &r, &e), -EINVAL);
	CHECK_HAS(e.msg, "has 1001 entries");
	buf_add_str(&sources, "- {action: keep, source_labels: [a");
	for (int i = 0; i < 128; i++)
		buf_add_str(&sources, ",a");
	buf_add_str(&sources, "]}");
	CHECK_INT(relabel_parse("r.yaml", buf_str(&sources), sources.len, &r, &e), -EINVAL);
	CHECK_HAS(e.msg, "source_labels has more than 128 names");
	buf_add_str(&longer, "- {target_label: a, replacement: ");
	for (int i = 0; i < 1025; i++)
		buf_add_str(&longer, "x");
	buf_add_str(&longer, "}");
	CHECK_INT(relabel_parse("r.yaml", buf_str(&longer), longer.len, &r, &e), -EINVAL);
	CHECK_HAS(e.msg, "replacement is longer than 1024 bytes");
}

TEST_MAIN()
