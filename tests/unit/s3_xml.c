/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3_xml.h"

#include "tests/support/test.h"

#include <errno.h>

#define HEAD   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define RESULT "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"

static int parse(const char *text, struct s3_page *page, struct err *e)
{
	return s3_xml_page(text, strlen(text), page, e);
}

static const char *name_of(const struct s3_page *p, size_t i)
{
	return (const char *)p->names.data + p->entries.data[i].name;
}

TEST(a_listing_has_objects_directories_and_a_token)
{
	struct err e;
	auto_s3_page struct s3_page p = { 0 };
	static const char text[] = HEAD RESULT
		"<Name>b</Name><Prefix>01/</Prefix><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"
		"<IsTruncated>true</IsTruncated><NextContinuationToken>1a/b+==</NextContinuationToken>"
		"<Contents><Key>01/meta.json</Key><LastModified>2009-10-12T17:50:30.500Z</LastModified>"
		"<ETag>&quot;fba9dede5f27731c9771645a39863328&quot;</ETag><Size>434234</Size>"
		"<Owner><ID>x</ID><DisplayName>Key</DisplayName></Owner><StorageClass>STANDARD</"
		"StorageClass></Contents>\n"
		"<CommonPrefixes>\n  <Prefix>01/chunks/</Prefix>\n</CommonPrefixes></ListBucketResult>";

	CHECK_OK(parse(text, &p, &e), &e);

	CHECK_INT(p.entries.len, 2);
	CHECK_STR(name_of(&p, 0), "01/meta.json");
	CHECK_INT(p.entries.data[0].size, 434234);
	CHECK_INT(p.entries.data[0].mtime_ms, 1255369830500);
	CHECK_STR(name_of(&p, 1), "01/chunks/");
	CHECK(p.entries.data[1].is_directory && !p.entries.data[0].is_directory);
	CHECK(p.is_truncated);
	CHECK_STR((char *)p.next_token.data, "1a/b+==");
}

TEST(an_empty_listing_is_a_listing)
{
	struct err e;
	static const char *const texts[] = {
		"<ListBucketResult/>",
		HEAD RESULT "<Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>\n",
		"<a:ListBucketResult xmlns:a='x'><a:Prefix/></a:ListBucketResult>",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		auto_s3_page struct s3_page p = { 0 };
		CHECK_OK(parse(texts[i], &p, &e), &e);
		CHECK_INT(p.entries.len, 0);
		CHECK(!p.is_truncated);
	}
}

TEST(names_are_decoded_where_the_answer_says_they_are_encoded)
{
	struct err e;
	static const char list[] =
		"<Contents><Key>a%2Fb+%2B%c3%a9%01</Key><Size>1</Size></Contents>"
		"<CommonPrefixes><Prefix>d%20/</Prefix></CommonPrefixes><NextMarker>%41</NextMarker>";
	auto_free char *plain = xasprintf(RESULT "%s</ListBucketResult>", list);
	auto_free char *coded =
		xasprintf(RESULT "%s<EncodingType>url</EncodingType></ListBucketResult>", list);
	auto_s3_page struct s3_page p = { 0 }, q = { 0 };
	CHECK_OK(parse(plain, &p, &e), &e);
	CHECK_OK(parse(coded, &q, &e), &e);

	CHECK_STR(name_of(&p, 0), "a%2Fb+%2B%c3%a9%01");
	CHECK_STR(name_of(&q, 0), "a/b +\xc3\xa9\x01");
	CHECK_STR(name_of(&q, 1), "d /");
	CHECK_STR((char *)q.next_marker.data, "A");
	CHECK_INT(q.next_marker.len, 1);
}

TEST(what_is_no_listing_is_refused)
{
	static const char *const texts[] = {
		"",
		"not XML",
		"<html><body>Sign in</body></html>",
		"<!DOCTYPE html><html></html>",
		"<Error><Code>NoSuchBucket</Code></Error>",
		RESULT,
		RESULT "<Contents><Key>a</Key></Contents></ListBucketResult>",
		RESULT "<Contents><Size>1</Size></Contents></ListBucketResult>",
		RESULT "<Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
		RESULT "<Contents><Key>a</Key><Size>1e3</Size></Contents></ListBucketResult>",
		RESULT "<Contents><Key>a</Key><Size>9999999999999999999</Size></Contents></ListBucketResult>",
		RESULT "<Contents><Key>a</Key><Size>1</Size><LastModified>today</LastModified></Contents></"
		       "ListBucketResult>",
		RESULT "<EncodingType>url</EncodingType><Contents><Key>a%0</Key><Size>1</Size></Contents></"
		       "ListBucketResult>",
		RESULT "<EncodingType>url</EncodingType><Contents><Key>%00</Key><Size>1</Size></Contents></"
		       "ListBucketResult>",
		RESULT "<Contents><Key>a\x01</Key><Size>1</Size></Contents></ListBucketResult>",
		"<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a></"
		"a></a></a></a></a></a>"
		"</a></a></a>",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e;
		auto_s3_page struct s3_page p = { 0 };
		int r = parse(texts[i], &p, &e);
		if (r != -EPROTO)
			test_fail(__FILE__, __LINE__, "%s gave %d", texts[i], r);
		CHECK_HAS(e.msg, "listing");
	}
}

TEST(entities_of_a_document_type_are_never_expanded)
{
	struct err e;
	auto_s3_page struct s3_page p = { 0 };
	static const char text[] =
		"<!DOCTYPE l [<!ENTITY a \"xxxxxxxxxx\"><!ENTITY b \"&a;&a;&a;&a;\">]>" RESULT
		"<Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>";

	CHECK_INT(parse(text, &p, &e), -EPROTO);
	CHECK_HAS(e.msg, "document type");
	CHECK_INT(p.entries.len, 0);
}

TEST(a_text_without_end_is_refused)
{
	struct err e;
	auto_buf struct buf text = { 0 };
	auto_s3_page struct s3_page p = { 0 };
	buf_add_str(&text, RESULT "<Contents><Key>");
	for (size_t i = 0; i <= S3_XML_MAX_TEXT; i++)
		buf_add_u8(&text, 'a');
	buf_add_str(&text, "</Key><Size>1</Size></Contents></ListBucketResult>");

	CHECK_INT(parse(buf_str(&text), &p, &e), -EPROTO);
	CHECK_HAS(e.msg, "too long");
}

TEST(an_error_says_code_message_region_and_endpoint_fit_for_a_line)
{
	struct s3_error error;
	static const char text[] =
		HEAD "<Error><Code>PermanentRedirect</Code><Message>go\naway \xc2\x9b[31m \xc3\xa9</Message>"
		     "<Region>eu-west-1</Region><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>"
		     "<RequestId>1</RequestId></Error>";

	CHECK_INT(s3_xml_error(text, sizeof text - 1, &error), 0);

	CHECK_STR(error.code, "PermanentRedirect");
	CHECK_STR(error.message, "go away   [31m \xc3\xa9");
	CHECK_STR(error.region, "eu-west-1");
	CHECK_STR(error.endpoint, "b.s3.eu-west-1.amazonaws.com");
}

TEST(long_messages_are_cut_between_characters)
{
	struct s3_error error;
	auto_buf struct buf text = { 0 };
	buf_add_str(&text, "<Error><Code>x</Code><Message>a");
	for (int i = 0; i < 200; i++)
		buf_add_str(&text, "\xc3\xa9");
	buf_add_str(&text, "</Message></Error>");

	CHECK_INT(s3_xml_error(text.data, text.len, &error), 0);
	CHECK_INT(strlen(error.message), sizeof error.message - 1);
	CHECK(error.message[254] == '\xa9');
}

TEST(a_cut_never_leaves_half_a_character)
{
	char out[4];
	s3_set_printable(out, sizeof out, "ab\xc3\xa9");
	CHECK_STR(out, "ab");
	s3_set_printable(out, sizeof out, "a\xc3\xa9z");
	CHECK_STR(out, "a\xc3\xa9");
}

TEST(what_is_no_error_document_is_told)
{
	struct s3_error error;
	CHECK_INT(s3_xml_error("<Error/>", 8, &error), -EPROTO);
	CHECK_INT(s3_xml_error("<html/>", 7, &error), -EPROTO);
	CHECK_INT(s3_xml_error("", 0, &error), -EPROTO);
}

TEST(an_upload_has_an_id)
{
	struct err e;
	auto_buf struct buf id = { 0 }, none = { 0 };
	static const char text[] = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key>"
				   "<UploadId>VXBsb2Fk.-_~/+=</UploadId></InitiateMultipartUploadResult>";

	CHECK_OK(s3_xml_upload_id(text, sizeof text - 1, &id, &e), &e);
	CHECK_STR(buf_str(&id), "VXBsb2Fk.-_~/+=");
	CHECK_INT(s3_xml_upload_id("<a/>", 4, &none, &e), -EPROTO);
	CHECK_HAS(e.msg, "UploadId");
}

TEST(text_is_escaped)
{
	auto_buf struct buf out = { 0 };
	s3_xml_escape("<\"a\"&b>", &out);
	CHECK_STR(buf_str(&out), "&lt;&quot;a&quot;&amp;b&gt;");
}

TEST_MAIN()
