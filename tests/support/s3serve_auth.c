/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical request is made from what was decoded, and encoded again: a client that sends one form and signs another is
 * refused. Stricter than needed where S3 is: every x-amz- header must be signed, and so must Host.
 */
#include "tests/support/s3serve_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define KEY_BYTES 32

/* The parts of a signature, wherever in the request it stands. */
struct claim {
	bool in_query;
	struct span access_key, day, region, service, terminator, signed_headers, signature;
	char time[17]; /* 20130524T000000Z */
	struct span payload;
	int64_t expires_seconds;
};

static void refuse(struct s3serve_verdict *v, unsigned status, const char *code, const char *message)
{
	v->status = status;
	v->code = code;
	v->message = message;
}

static void hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void hmac(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[KEY_BYTES])
{
	unsigned len = KEY_BYTES;
	if (!HMAC(EVP_sha256(), key, (int)n_key, p, n, out, &len))
		abort();
}

/* Splits off what stands before `c`; false where there is no `c`. */
static bool cut(struct span *rest, char c, struct span *out)
{
	const char *at = memchr(rest->p, c, rest->n);
	if (!at)
		return false;
	*out = (struct span){ rest->p, (size_t)(at - rest->p) };
	*rest = (struct span){ at + 1, rest->n - out->n - 1 };
	return true;
}

static bool parse_credential(struct span s, struct claim *c)
{
	/* An access key may hold slashes in theory; the four parts behind it can't. */
	struct span *parts[] = { &c->terminator, &c->service, &c->region, &c->day };
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		const char *slash = memrchr(s.p, '/', s.n);
		if (!slash)
			return false;
		*parts[i] = (struct span){ slash + 1, s.n - (size_t)(slash + 1 - s.p) };
		s.n = (size_t)(slash - s.p);
	}
	c->access_key = s;
	return s.n > 0;
}

static bool parse_authorization(struct span s, struct claim *c)
{
	if (!span_starts(s, ALGORITHM " "))
		return false;
	s.p += strlen(ALGORITHM) + 1;
	s.n -= strlen(ALGORITHM) + 1;
	bool credential = false;
	while (s.n) {
		struct span part;
		if (!cut(&s, ',', &part)) {
			part = s;
			s.n = 0;
		}
		while (part.n && part.p[0] == ' ') {
			part.p++;
			part.n--;
		}
		struct span name;
		if (!cut(&part, '=', &name))
			return false;
		if (span_is(name, "Credential"))
			credential = parse_credential(part, c);
		else if (span_is(name, "SignedHeaders"))
			c->signed_headers = part;
		else if (span_is(name, "Signature"))
			c->signature = part;
		else
			return false;
	}
	return credential && c->signed_headers.n && c->signature.n;
}

static bool copy_time(struct span s, char out[17])
{
	if (s.n != 16)
		return false;
	memcpy(out, s.p, 16);
	out[16] = 0;
	return true;
}

/* Decoded values of the query's claim live in `store`, which the caller keeps. */
static bool parse_query_claim(const struct s3serve_request *q, struct claim *c, struct buf store[5])
{
	static const char *const names[] = { "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature",
		"X-Amz-Date", "X-Amz-Expires" };
	struct span got[ARRAY_LEN(names)];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!s3serve_param(q, names[i], &store[i]))
			return false;
		got[i] = (struct span){ (const char *)store[i].data, store[i].len };
	}
	c->in_query = true;
	c->signed_headers = got[1];
	c->signature = got[2];
	c->expires_seconds = strtoll(got[4].p, NULL, 10);
	c->payload = (struct span){ "UNSIGNED-PAYLOAD", 16 };
	return parse_credential(got[0], c) && copy_time(got[3], c->time) && c->expires_seconds > 0 &&
	       c->expires_seconds <= 7 * 86400;
}

static bool parse_seconds(const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
	*out = timegm(&tm);
	return end && !*end;
}

static int compare_params(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted "name=value" of all parameters but the signature. A 0x01 between them sorts "a" before "a-b", as names alone do. */
static bool add_query(const struct s3serve_request *q, struct buf *out)
{
	char *lines[S3SERVE_PARAMS];
	size_t n = 0;
	bool ok = true;
	for (size_t i = 0; i < q->n_params && ok; i++) {
		if (span_is(q->params[i].name, "X-Amz-Signature"))
			continue;
		auto_buf struct buf name = { 0 }, value = { 0 }, line = { 0 };
		ok = s3serve_decode(q->params[i].name, true, &name) &&
		     s3serve_decode(q->params[i].value, true, &value);
		s3serve_encode(name.data, name.len, false, &line);
		buf_add_u8(&line, 1);
		s3serve_encode(value.data, value.len, false, &line);
		lines[n++] = xstrdup(buf_str(&line));
	}
	qsort(lines, n, sizeof *lines, compare_params);
	for (size_t i = 0; i < n; i++) {
		*strchr(lines[i], 1) = '=';
		buf_printf(out, "%s%s", i ? "&" : "", lines[i]);
		free(lines[i]);
	}
	return ok;
}

/* "name:value\n", blanks inside folded to one; values of a header that came several times joined by commas. */
static bool add_header(const struct s3serve_request *q, struct span name, struct buf *out)
{
	bool found = false;
	for (size_t i = 0; i < q->n_headers; i++) {
		struct span have = q->headers[i].name, value = q->headers[i].value;
		if (have.n != name.n || memcmp(have.p, name.p, name.n))
			continue;
		if (found)
			buf_add_u8(out, ',');
		else
			buf_printf(out, "%.*s:", (int)name.n, name.p);
		found = true;
		for (size_t k = 0; k < value.n; k++)
			if (value.p[k] != ' ' || value.p[k - 1] != ' ')
				buf_add_u8(out, (uint8_t)value.p[k]);
	}
	buf_add_u8(out, '\n');
	return found;
}

static bool is_listed(struct span list, struct span name)
{
	struct span part;
	while (cut(&list, ';', &part))
		if (part.n == name.n && !memcmp(part.p, name.p, name.n))
			return true;
	return list.n == name.n && !memcmp(list.p, name.p, name.n);
}

/* The list must be sorted, without repetition, and all of it must have come. */
static bool add_headers(const struct s3serve_request *q, struct span list, struct buf *out)
{
	struct span part, last = { "", 0 };
	for (bool more = true; more;) {
		more = cut(&list, ';', &part);
		if (!more)
			part = list;
		size_t n = MIN_OF(part.n, last.n);
		int order = memcmp(last.p, part.p, n);
		if (order > 0 || (order == 0 && last.n >= part.n) || !add_header(q, part, out))
			return false;
		last = part;
	}
	return true;
}

static bool are_signed(const struct s3serve_request *q, const struct claim *c)
{
	if (!is_listed(c->signed_headers, (struct span){ "host", 4 }))
		return false;
	for (size_t i = 0; i < q->n_headers; i++) {
		struct span name = q->headers[i].name;
		bool must = span_starts(name, "x-amz-") || span_is(name, "content-md5");
		if (must && !is_listed(c->signed_headers, name))
			return false;
	}
	return true;
}

static bool canonical_request(const struct s3serve_request *q, const struct claim *c, struct buf *out)
{
	auto_buf struct buf path = { 0 };
	if (!s3serve_decode(q->path, false, &path))
		return false;
	buf_printf(out, "%.*s\n", (int)q->method.n, q->method.p);
	s3serve_encode(path.data, path.len, true, out);
	buf_add_u8(out, '\n');
	bool ok = add_query(q, out);
	buf_add_u8(out, '\n');
	ok = ok && add_headers(q, c->signed_headers, out);
	buf_printf(out, "\n%.*s\n%.*s", (int)c->signed_headers.n, c->signed_headers.p, (int)c->payload.n,
		c->payload.p);
	return ok;
}

static void check_signature(const struct s3serve_request *q, const struct s3serve_account *a,
	const struct claim *c, struct s3serve_verdict *v)
{
	auto_buf struct buf canonical = { 0 }, text = { 0 };
	uint8_t key[KEY_BYTES], digest[KEY_BYTES];
	char want[2 * KEY_BYTES + 1];
	bool ok = canonical_request(q, c, &canonical);
	if (!EVP_Digest(buf_str(&canonical), canonical.len, digest, NULL, EVP_sha256(), NULL))
		abort();
	hex(digest, sizeof digest, want);
	buf_printf(&text, ALGORITHM "\n%s\n%.*s/%s/s3/aws4_request\n%s", c->time, (int)c->day.n, c->day.p,
		a->region, want);

	auto_buf struct buf first = { 0 };
	buf_printf(&first, "AWS4%s", a->secret_key);
	hmac(first.data, first.len, c->day.p, c->day.n, key);
	hmac(key, sizeof key, a->region, strlen(a->region), key);
	hmac(key, sizeof key, "s3", 2, key);
	hmac(key, sizeof key, "aws4_request", 12, key);
	hmac(key, sizeof key, text.data, text.len, digest);
	hex(digest, sizeof digest, want);
	if (ok && c->signature.n == strlen(want) && !CRYPTO_memcmp(c->signature.p, want, c->signature.n))
		return;
	refuse(v, 403, "SignatureDoesNotMatch",
		"The request signature we calculated does not match the signature you provided. Check your "
		"key and "
		"signing method.");
	/* As S3 does, what it would have signed, for whoever looks for the difference. */
	auto_buf struct buf shown = { 0 };
	for (size_t i = 0; i < canonical.len; i++) {
		if (strchr("<>&", canonical.data[i]))
			buf_printf(&shown, "&#%u;", canonical.data[i]);
		else
			buf_add_u8(&shown, canonical.data[i]);
	}
	v->extra = xasprintf("<StringToSign>%s</StringToSign><CanonicalRequest>%s</CanonicalRequest>",
		buf_str(&text), buf_str(&shown));
}

static void check_payload(const struct claim *c, struct s3serve_verdict *v)
{
	if (span_is(c->payload, "UNSIGNED-PAYLOAD"))
		return;
	if (span_starts(c->payload, "STREAMING-")) {
		refuse(v, 501, "NotImplemented",
			"A header you provided implies functionality that is not implemented");
		return;
	}
	bool is_hex = c->payload.n == 64;
	for (size_t i = 0; i < c->payload.n && is_hex; i++)
		is_hex = strchr("0123456789abcdef", c->payload.p[i]);
	if (!is_hex) {
		refuse(v, 400, "InvalidArgument",
			"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD "
			"or a valid "
			"sha256 value.");
		return;
	}
	v->payload = S3SERVE_PAYLOAD_HASHED;
	memcpy(v->sha256, c->payload.p, 64);
}

static void check_time(const struct claim *c, int64_t now, struct s3serve_verdict *v)
{
	int64_t at;
	if (!parse_seconds(c->time, &at) || c->day.n != 8 || memcmp(c->day.p, c->time, 8)) {
		refuse(v, 403, "AccessDenied",
			"AWS authentication requires a valid Date or x-amz-date header");
		return;
	}
	if (c->in_query ? at > now + S3SERVE_SKEW_SECONDS || now > at + c->expires_seconds
			: at > now + S3SERVE_SKEW_SECONDS || at < now - S3SERVE_SKEW_SECONDS) {
		if (c->in_query) {
			refuse(v, 403, "AccessDenied", "Request has expired");
			return;
		}
		refuse(v, 403, "RequestTimeTooSkewed",
			"The difference between the request time and the current time is too large.");
		struct tm tm;
		char server[32];
		strftime(server, sizeof server, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
		v->extra = xasprintf("<RequestTime>%s</RequestTime><ServerTime>%s</ServerTime>"
				     "<MaxAllowedSkewMilliseconds>%d</MaxAllowedSkewMilliseconds>",
			c->time, server, S3SERVE_SKEW_SECONDS * 1000);
	}
}

static void check_scope(const struct s3serve_request *q, const struct s3serve_account *a,
	const struct claim *c, struct s3serve_verdict *v, struct buf *scratch)
{
	if (!span_is(c->service, "s3") || !span_is(c->terminator, "aws4_request")) {
		refuse(v, 400, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; incorrect service.");
		return;
	}
	if (!span_is(c->region, a->region)) {
		refuse(v, 400, "AuthorizationHeaderMalformed",
			"The authorization header is malformed; the region is wrong.");
		v->region = a->region;
		v->extra = xasprintf("<Region>%s</Region>", a->region);
		return;
	}
	struct span token = s3serve_header(q, "x-amz-security-token");
	if (!token.p && s3serve_param(q, "X-Amz-Security-Token", scratch))
		token = (struct span){ (const char *)scratch->data, scratch->len };
	if (a->session_token ? !span_is(token, a->session_token) : token.p != NULL)
		refuse(v, 400, "InvalidToken", "The provided token is malformed or otherwise invalid.");
}

void s3serve_auth_check(const struct s3serve_request *q, const struct s3serve_account *a, int64_t now_seconds,
	struct s3serve_verdict *v)
{
	*v = (struct s3serve_verdict){ .payload = S3SERVE_PAYLOAD_UNSIGNED };
	struct claim c = { 0 };
	struct buf store[5] = { 0 };
	auto_buf struct buf scratch = { 0 };
	struct span authorization = s3serve_header(q, "authorization");
	if (authorization.p) {
		if (!parse_authorization(authorization, &c)) {
			refuse(v, 400, "AuthorizationHeaderMalformed",
				"The authorization header is malformed.");
		} else if (!copy_time(s3serve_header(q, "x-amz-date"), c.time)) {
			refuse(v, 403, "AccessDenied",
				"AWS authentication requires a valid Date or x-amz-date header");
		} else {
			c.payload = s3serve_header(q, "x-amz-content-sha256");
			if (!c.payload.p)
				refuse(v, 400, "InvalidRequest",
					"Missing required header for this request: x-amz-content-sha256");
		}
	} else if (s3serve_param(q, "X-Amz-Algorithm", &scratch)) {
		if (strcmp(buf_str(&scratch), ALGORITHM) || !parse_query_claim(q, &c, store))
			refuse(v, 400, "AuthorizationQueryParametersError",
				"Error parsing the signature's parameters.");
	} else {
		refuse(v, 403, "AccessDenied", "Access Denied");
	}
	if (!v->code && !span_is(c.access_key, a->access_key)) {
		refuse(v, 403, "InvalidAccessKeyId",
			"The AWS Access Key Id you provided does not exist in our records.");
		if (!memchr(c.access_key.p, '<', c.access_key.n) &&
			!memchr(c.access_key.p, '&', c.access_key.n))
			v->extra = xasprintf(
				"<AWSAccessKeyId>%.*s</AWSAccessKeyId>", (int)c.access_key.n, c.access_key.p);
	}
	if (!v->code)
		check_scope(q, a, &c, v, &scratch);
	if (!v->code)
		check_time(&c, now_seconds, v);
	if (!v->code && !are_signed(q, &c))
		refuse(v, 403, "AccessDenied",
			"There were headers present in the request which were not signed");
	if (!v->code)
		check_payload(&c, v);
	if (!v->code)
		check_signature(q, a, &c, v);
	for (size_t i = 0; i < ARRAY_LEN(store); i++)
		buf_fini(&store[i]);
}

void s3serve_verdict_fini(struct s3serve_verdict *v)
{
	free(v->extra);
	*v = (struct s3serve_verdict){ 0 };
}
